"""`graft lr-find`: what it says, what it draws, and what it refuses before doing any work."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

from components.trainer import lr_finder, lr_plot
from components.trainer.lr_finder import Curve, Suggestion
from components.trainer.settings.trainer import TrainingSettings
from pipeline import local_runner
from pipeline.commands import lr_find
from pipeline.config import load_recipe
from pipeline.console import make_console
from pipeline.run_result import NodeReport


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


@pytest.fixture
def find_rate(monkeypatch, tmp_path):
    """`find_rate(suggestion, *overrides, phase)` runs the command without its nodes.

    It gives the exit code, what was said, what was tested, and title and file of the plot.
    """
    console, asked, drawn = make_console(file=io.StringIO(), width=400), [], []
    reports = []
    display = SimpleNamespace(node_started=reports.append, node_finished=reports.append)
    monkeypatch.setattr(
        lr_find, "run_locally", lambda _, __, work, **___: work(console, None, display)
    )

    def run_up_to(node_id, *_):
        found = {"examples": "/examples", "transform_graph": "/graph"}
        made = {key: [SimpleNamespace(uri=uri)] for key, uri in found.items()}
        return {"ImageExampleGen": made, node_id: made}

    def phase_curve(settings, phase, graph, files):
        asked.append((phase, graph, files))
        return curve()

    monkeypatch.setattr(local_runner, "run_up_to", run_up_to)
    monkeypatch.setattr(lr_finder, "phase_curve", phase_curve)
    monkeypatch.setattr(lr_plot, "draw", lambda *given: drawn.append(given))

    def find_rate(suggestion, *overrides, phase=None):
        monkeypatch.setattr(lr_finder, "suggest", lambda _: suggestion)
        settings = [f"workspace={tmp_path}", *overrides]
        code = lr_find.find_rate("digits", settings, phase, None, False, False)
        begun, ended = reports[-2:]
        assert ended == NodeReport(begun, ended.seconds, False, lr_find.describe(curve()))
        assert begun == "Range test" and 0 <= ended.seconds < 60
        tested, drawn_suggestion, *plot = drawn[-1]
        assert len(tested.rates) == 80 and drawn_suggestion is suggestion
        return code, console.file.getvalue(), asked[-1], tuple(plot)

    return find_rate


def test_the_phase_that_is_named_is_tested_on_training_pictures_and_drawn(find_rate, tmp_path):
    code, said, asked, drawn = find_rate(Suggestion(4e-4, 2e-3), phase="unfrozen")
    assert code == 0 and "Set training.unfrozen.learning_rate to 4.0e-04" in said
    assert asked == ("unfrozen", "/graph", "/examples/Split-train/*")
    assert drawn == ("digits, unfrozen phase", tmp_path / "digits" / "lr-unfrozen.png")
    assert f"Curve: {drawn[1]}" in said


def test_a_plot_that_cannot_be_written_costs_no_rate(find_rate, monkeypatch):
    console = make_console(file=io.StringIO(), width=400)
    display = SimpleNamespace(node_started=id, node_finished=id)
    monkeypatch.setattr(
        lr_find, "run_locally", lambda _, __, work, **___: work(console, None, display)
    )

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(lr_plot, "draw", full)
    with pytest.raises(OSError):
        find_rate(Suggestion(4e-4, 2e-3))
    assert "training.frozen.learning_rate to 4.0e-04" in console.file.getvalue()


def test_unless_it_is_named_it_is_the_first_that_has_a_rate(find_rate):
    solved = ["training.frozen={optimizer: lbfgs}", "augmentation.views=2"]
    assert find_rate(None)[2][0] == "frozen"
    assert find_rate(None, *solved)[2][0] == "unfrozen"


def test_a_loss_that_falls_at_no_rate_is_exit_code_1_with_a_curve(find_rate):
    code, said, _, drawn = find_rate(None)
    assert code == 1 and "The loss fell at no rate" in said and drawn[1].name == "lr-frozen.png"


def test_where_every_phase_is_solved_the_first_is_told_of(find_rate):
    solved = "training={frozen: {optimizer: lbfgs}, unfrozen: {epochs: 0}}"
    with pytest.raises(ValueError, match=r"--phase frozen: .* which has no learning rate"):
        find_rate(None, solved, "augmentation.views=2")


def test_a_phase_that_nobody_knows_is_told_with_those_there_are():
    with pytest.raises(ValueError, match="--phase top: digits has no such phase; it has frozen, u"):
        lr_find.check_phase(load_recipe("digits"), "top")


def test_a_phase_without_epochs_is_not_among_those_there_are():
    recipe = load_recipe("digits", ["training.unfrozen.epochs=0"])
    with pytest.raises(ValueError, match=r"digits has no such phase; it has frozen$"):
        lr_find.check_phase(recipe, "top")


def test_of_several_phases_that_are_all_solved_the_first_is_meant():
    phases = "training={phases: [{name: one, optimizer: lbfgs}, {name: two, optimizer: lbfgs}]}"
    recipe = load_recipe("digits", [phases, "augmentation.views=2"])
    assert lr_find.first_with_a_rate(recipe) == "one"
