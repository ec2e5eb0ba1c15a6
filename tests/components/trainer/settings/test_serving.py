"""The block `serving`: what it refuses, in one line."""

import pydantic
import pytest

from components.bounds import pictures_needed
from components.trainer.settings.serving import ServingSettings
from components.validation import explain

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"abstain": {"accuracy": 1}}, "serving.abstain.accuracy: input should be less than 1, no"),
        ({"abstain": {"accuracy": 0.0}}, "serving.abstain.accuracy: input should be greater than"),
        ({"abstain": {"accuracy": float("nan")}}, "serving.abstain.accuracy: input should be a fi"),
        ({"abstain": {}}, "serving.abstain.accuracy: field required"),
        (
            {"abstain": {"accuracy": 0.9, "confidence": 1.0}},
            "serving.abstain.confidence: input should be less than 1",
        ),
        ({"label_set": 0}, "serving.label_set: input should be greater than 0"),
        ({"label_set": 1.0}, "serving.label_set: input should be less than 1"),
        ({"label_set": float("inf")}, "serving.label_set: input should be a finite number"),
        ({"calibrate": 1}, "serving.calibrate: input should be a valid boolean"),
        ({"calibrated": True}, "serving.calibrated: unknown key (did you mean `calibrate`?)"),
    ],
)
def test_a_value_that_cannot_be_is_one_line(values, message):
    with pytest.raises(pydantic.ValidationError) as caught:
        ServingSettings.model_validate(values)
    text = explain(caught.value, ServingSettings, "serving")
    assert text.startswith(message) and "\n" not in text, text


def test_it_is_off_unless_asked_for():
    assert not ServingSettings().learns
    assert ServingSettings(label_set=0.9).learns
    assert ServingSettings(calibrate=True).learns
    assert ServingSettings(abstain={"accuracy": 0.9}).learns


def test_an_accuracy_of_099_takes_299_pictures_unless_another_confidence_is_asked_for():
    """As the description of the key says."""
    for more, needed in (({}, 299), ({"confidence": 0.9}, 230)):
        abstain = ServingSettings(abstain={"accuracy": 0.99, **more}).abstain
        assert pictures_needed(abstain.accuracy, abstain.confidence) == needed
