"""Settings of the Trainer that do not go together are refused by name."""

import pydantic
import pytest

from components.trainer import backbones
from components.trainer.config import (
    BackboneSettings,
    PhaseSettings,
    TrainerSettings,
    TrainingSettings,
    UnfrozenPhaseSettings,
)


def test_layer_counts_on_record_are_those_of_the_networks():
    for name, backbone in backbones.BACKBONES.items():
        assert len(backbones.build(name, 0.35, 32, None).layers) == backbone.layers


@pytest.mark.parametrize(
    ("backbone", "training", "says"),
    [
        ({"weights": "none"}, {}, "training.frozen.epochs to 0"),
        ({}, {"unfrozen": UnfrozenPhaseSettings(fine_tune_at=154)}, "154 layers"),
    ],
)
def test_settings_that_do_not_go_together(backbone, training, says):
    with pytest.raises(pydantic.ValidationError, match=says):
        TrainerSettings(
            backbone=BackboneSettings(**backbone), training=TrainingSettings(**training)
        )


def test_glyphs_fit_one_width_only():
    with pytest.raises(pydantic.ValidationError, match=r"alpha 0\.35, not 1"):
        BackboneSettings(weights="glyphs")


def test_training_nothing_is_refused():
    none = {"frozen": PhaseSettings(epochs=0), "unfrozen": UnfrozenPhaseSettings(epochs=0)}
    with pytest.raises(pydantic.ValidationError, match="nothing would be trained"):
        TrainingSettings(**none)


def test_from_scratch_means_no_frozen_phase_and_all_layers():
    training = TrainingSettings(
        frozen=PhaseSettings(epochs=0), unfrozen=UnfrozenPhaseSettings(fine_tune_at=0)
    )
    TrainerSettings(backbone=BackboneSettings(weights="none"), training=training)
