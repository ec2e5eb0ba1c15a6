"""What is said of a test split beforehand."""

import pytest

from components.bounds import lower_bound
from components.evaluator.config import EvaluationSettings
from components.evaluator.foresight import foresee

pytestmark = pytest.mark.one_line


def test_what_can_be_proved_and_what_it_needs():
    line, notes = foresee(EvaluationSettings(thresholds={"accuracy": 0.95}), {"a": 180, "b": 179})
    assert line == (
        "Test split: about 359 pictures, which prove an accuracy of 0.9917 at best (confidence "
        "0.95); accuracy 0.95 needs 59 faultless ones"
    )
    assert notes == []


def test_what_cannot_be_proved_is_said():
    settings = EvaluationSettings(
        thresholds={"accuracy": 0.95, "top_k_accuracy": 1.0}, min_class_recall=0.8
    )
    _, notes = foresee(settings, {"a": 25, "b": 5})
    assert notes == [
        "accuracy 0.95 cannot be proved with about 30 test pictures: it needs 59",
        "top_k_accuracy 1 cannot be proved with any number of pictures",
        "a recall of 0.8 of b cannot be proved with about 5 test pictures: it needs 14",
        "top_k_accuracy 1 is no more than what knowing nothing gets (1)",
    ]


def test_one_picture_of_a_class_is_not_none():
    _, notes = foresee(EvaluationSettings(thresholds={"macro_recall": 0.6}), {"a": 80, "b": 1})
    assert notes == []


def test_a_threshold_at_chance_and_an_empty_class_are_said():
    _, notes = foresee(EvaluationSettings(thresholds={"accuracy": 0.5, "auc": 0.4}),
                       {"a": 80, "b": 0})  # fmt: skip
    assert notes == [
        "about no picture of b in the test split: nothing can be proved",
        "accuracy 0.5 is no more than what knowing nothing gets (1)",
        "auc 0.4 is no more than what knowing nothing gets (0.5)",
    ]


def test_what_is_asked_of_a_sure_model_needs_pictures_too():
    settings = EvaluationSettings(
        min_accuracy_when_sure=0.99, min_label_set_coverage=0.9, min_share_sure=0.5
    )
    line, notes = foresee(settings, {"a": 50, "b": 50})
    assert line.endswith(
        "label set coverage 0.9 needs 29 faultless ones; accuracy when sure 0.99 needs 299 "
        "faultless ones; share sure 0.5 needs 5 faultless ones"
    )
    text = "accuracy when sure 0.99 cannot be proved with about 100 test pictures: it needs 299"
    assert text in notes


@pytest.mark.parametrize(("total", "says"), [(59, []), (58, ["accuracy", "a recall"])])
def test_as_many_pictures_as_a_proof_needs_are_enough(total, says):
    wanted = lower_bound(59, 59, 0.95)
    settings = EvaluationSettings(thresholds={"accuracy": wanted}, min_class_recall=wanted)
    _, notes = foresee(settings, {"a": total})
    impossible = [note for note in notes if "cannot be proved with" in note]
    assert [note.partition(f" {wanted:g} ")[0].removesuffix(" of") for note in impossible] == says
