"""`graft lr-find`: what it says, what it draws, and what it refuses before doing any work."""

import numpy as np
import pytest

from components.trainer.lr_finder import Curve, Suggestion
from components.trainer.settings.trainer import TrainingSettings
from pipeline.commands import lr_find
from pipeline.config import load_recipe


def curve() -> Curve:
    rates = np.geomspace(1e-6, 1.0, 80)
    losses = 1 - 0.8 / (1 + np.exp(-3 * (np.log10(rates) + 4)))
    return Curve(rates, losses, np.ones(80))


def test_the_advice_names_the_key_and_both_rates():
    text = lr_find.advice(Suggestion(steepest=4.13e-4, safe=2.42e-3), "training.frozen")
    assert "--set training.frozen.learning_rate=4.1e-04" in text and "2.4e-03" in text
    load_recipe("digits", [text.split("--set ")[1]])


def test_without_a_fall_there_is_no_rate_but_a_hint():
    assert "training.unfrozen.learning_rate" in lr_find.advice(None, "training.unfrozen")


@pytest.mark.parametrize(
    ("overrides", "output", "says"),
    [
        (["training.frozen.epochs=0"], "curve.png", "training.frozen.epochs is 0"),
        ([], "curve.pdf", "ends in .png"),
        (["data.source=nowhere"], "curve.png", "does not exist"),
    ],
)
def test_mistakes_are_found_before_any_work(overrides, output, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=says):
        lr_find.find_rate("digits", overrides, "frozen", tmp_path / output, False, False)
    assert not (tmp_path / output).exists()


def test_the_advice_for_a_phase_of_a_list_can_be_followed():
    training = TrainingSettings(phases=[{"name": "head"}, {"name": "top", "fine_tune_at": 100}])
    text = lr_find.advice(Suggestion(steepest=4.13e-4, safe=2.42e-3), training.key("top"))
    override = text.split("--set ")[1]
    assert override == "training.phases.top.learning_rate=4.1e-04"
    phases = training.model_dump_json(include={"listed"})
    recipe = load_recipe("digits", [f"training={phases}", override])
    assert recipe.training.phases["top"].learning_rate == 4.1e-4


def test_what_was_tested_in_a_few_words():
    assert lr_find.describe(curve()) == "80 rates, 1e-06 to 1.0e+00"


def test_a_solved_phase_has_no_rate_and_is_passed_over():
    solved = ["training.frozen={optimizer: lbfgs}", "augmentation.views=2"]
    recipe = load_recipe("digits", solved)
    assert lr_find.first_with_a_rate(recipe) == "unfrozen"
    with pytest.raises(ValueError, match=r"training\.frozen\.optimizer is lbfgs, which has no"):
        lr_find.check_phase(recipe, "frozen")
