"""Settings of the Trainer that do not go together are refused by name."""

import pydantic
import pytest

from components.trainer.config import (
    BackboneSettings,
    PhaseSettings,
    TrainerSettings,
    TrainingSettings,
    UnfrozenPhaseSettings,
)


@pytest.mark.parametrize(
    ("backbone", "training", "says"),
    [
        ({"weights": "none"}, {}, "training.frozen.epochs to 0"),
    ],
)
def test_settings_that_do_not_go_together(backbone, training, says):
    with pytest.raises(pydantic.ValidationError, match=says):
        TrainerSettings(
            backbone=BackboneSettings(**backbone), training=TrainingSettings(**training)
        )


def test_glyphs_fit_one_width_only():
    with pytest.raises(
        pydantic.ValidationError, match=r"alpha 0\.35, not mobilenet_v2 with alpha 1"
    ):
        BackboneSettings(weights="glyphs")


def test_a_width_where_there_is_none_is_refused():
    with pytest.raises(pydantic.ValidationError, match="resnet50_v2 has one width only"):
        BackboneSettings(name="resnet50_v2", alpha=0.5)


def test_the_frozen_phase_stays_frozen():
    with pytest.raises(pydantic.ValidationError, match=r"frozen\.fine_tune_at must be null"):
        TrainingSettings(frozen=PhaseSettings(fine_tune_at=3))


def test_training_nothing_is_refused():
    none = {"frozen": PhaseSettings(epochs=0), "unfrozen": UnfrozenPhaseSettings(epochs=0)}
    with pytest.raises(pydantic.ValidationError, match="nothing to train"):
        TrainingSettings(**none)


def test_from_scratch_means_no_frozen_phase_and_all_layers():
    training = TrainingSettings(
        frozen=PhaseSettings(epochs=0), unfrozen=UnfrozenPhaseSettings(fine_tune_at="all")
    )
    TrainerSettings(backbone=BackboneSettings(weights="none"), training=training)
