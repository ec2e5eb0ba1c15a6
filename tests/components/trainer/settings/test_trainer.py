"""Settings of the Trainer that do not go together are refused by name."""

import pydantic
import pytest

from components.trainer.settings.distillation import DistillationSettings
from components.trainer.settings.pseudo_labels import PseudoLabelSettings
from components.trainer.settings.trainer import (
    BackboneSettings,
    HeadSettings,
    PhaseSettings,
    TrainerSettings,
    TrainingSettings,
    UnfrozenPhaseSettings,
)
from pipeline.config import load_recipe


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


@pytest.mark.parametrize("at", [0, 3, "all"])
def test_the_frozen_phase_stays_frozen(at):
    with pytest.raises(pydantic.ValidationError, match=r"frozen\.fine_tune_at must be null"):
        TrainingSettings(frozen=PhaseSettings(fine_tune_at=at))


def test_training_nothing_is_refused():
    none = {"frozen": PhaseSettings(epochs=0), "unfrozen": UnfrozenPhaseSettings(epochs=0)}
    with pytest.raises(pydantic.ValidationError, match="nothing to train"):
        TrainingSettings(**none)


@pytest.mark.parametrize("at", ["all", 0])
def test_from_scratch_means_no_frozen_phase_and_all_layers(at):
    training = TrainingSettings(
        frozen=PhaseSettings(epochs=0), unfrozen=UnfrozenPhaseSettings(fine_tune_at=at)
    )
    TrainerSettings(backbone=BackboneSettings(weights="none"), training=training)


HUB = "https://example.com/b0/1?tf-hub-format=compressed"


@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        ({}, 224),
        ({"name": "inception_v3"}, 299),
        ({"name": "nasnet_mobile", "image_size": None}, 224),
        ({"name": "inception_v3", "image_size": 75}, 75),
    ],
)
def test_the_size_is_that_of_the_network_unless_it_is_said(backbone, size):
    settings = BackboneSettings(**backbone)
    assert settings.image_size == size
    assert BackboneSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("backbone", "says"),
    [
        ({"name": "inception_v3", "image_size": 74}, "image_size: inception_v3 needs at least 75"),
        ({"name": "xception", "image_size": 70}, "image_size: xception needs at least 71"),
        ({"image_size": 31}, "greater than or equal to 32"),
        ({"name": "mobilenet_v4"}, "Input should be 'mobilenet_v2'"),
        ({"name": ["mobilenet_v2"]}, "Input should be 'mobilenet_v2'"),
        ({"name": "saved_model"}, "weights of saved_model must be .*, not `imagenet`"),
        ({"name": "saved_model", "weights": "none"}, "saved_model must be .*, not `none`"),
        ({"name": "saved_model", "weights": "glyphs"}, "weights `glyphs` are for mobilenet_v2"),
        ({"weights": HUB.upper()}, "for the name saved_model only, not mobilenet_v2"),
        ({"weights": HUB}, "for the name saved_model only, not mobilenet_v2"),
        ({"weights": "/a.h5", "sha256": "0" * 64}, "sha256 is for weights that are a URL"),
        ({"name": "saved_model", "weights": HUB, "sha256": "12"}, "sha256"),
        (
            {"name": "saved_model", "weights": HUB},
            "SavedModel is a program.*set sha256 to the digest.*or trust_url to true",
        ),
        (
            {"name": "saved_model", "weights": HUB.replace("s:", ":"), "trust_url": True},
            "SavedModel is a program.*over http, set sha256",
        ),
    ],
)
def test_a_backbone_that_cannot_be_is_refused(backbone, says):
    with pytest.raises(pydantic.ValidationError, match=says):
        BackboneSettings(**backbone)


@pytest.mark.parametrize(
    "trust",
    [
        {"sha256": "0" * 64},
        {"trust_url": True},
        {"weights": HUB.replace("s:", ":"), "sha256": "0" * 64},
        {"weights": "/a/folder", "trust_url": True},
        {"weights": HUB.replace("https", "HTTPS"), "trust_url": True},
    ],
)
def test_a_url_is_pinned_or_trusted(trust):
    BackboneSettings(**{"name": "saved_model", "weights": HUB, **trust})


def test_where_nothing_augments_one_view_is_all_there_is():
    settings = ["augmentation={}", "augmentation.views=3"]
    assert load_recipe("digits", settings).trainer.views == 1
    assert load_recipe("digits", ["augmentation={}"]).trainer.views == 1
    augmented = [*settings, "augmentation.rotation=0.1"]
    assert load_recipe("digits", augmented).trainer.views == 3


def test_a_saved_model_never_learns():
    backbone = BackboneSettings(name="saved_model", weights=HUB, sha256="0" * 64)
    frozen = TrainingSettings(unfrozen=UnfrozenPhaseSettings(epochs=0))
    TrainerSettings(backbone=backbone, training=frozen)
    with pytest.raises(pydantic.ValidationError, match=r"set training\.unfrozen\.epochs to 0"):
        TrainerSettings(backbone=backbone, training=TrainingSettings())
    every_layer = TrainingSettings(unfrozen=UnfrozenPhaseSettings(fine_tune_at=0))
    with pytest.raises(pydantic.ValidationError, match="which never learns"):
        TrainerSettings(backbone=backbone, training=every_layer)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (TrainingSettings, {"label_smoothing": 0.5}),
        (TrainingSettings, {"frozen": 5}),
        (TrainerSettings, {"backbone": 5}),
        (TrainerSettings, {"training": 5}),
        (TrainingSettings, {"focal_gamma": -1}),
        (TrainingSettings, {"class_weights": "balanced"}),
        (TrainingSettings, {"class_weights": {"cat": 0}}),
        (PhaseSettings, {"epochs": -1}),
        (PhaseSettings, {"learning_rate": 0}),
        (PhaseSettings, {"weight_decay": -0.1}),
        (PhaseSettings, {"weight_decay": 1}),
        (PhaseSettings, {"batch_size": 0}),
        (UnfrozenPhaseSettings, {"backbone_multiplier": 0}),
        (PhaseSettings, {"learning_rate": float("inf")}),
        (PhaseSettings, {"learning_rate": float("nan")}),
        (UnfrozenPhaseSettings, {"optimizer": "adamax"}),
        (HeadSettings, {"dropout": 1}),
        (HeadSettings, {"hidden": [0]}),
        (HeadSettings, {"pooling": "mean"}),
    ],
)
def test_a_value_out_of_its_range_is_refused(model, settings):
    (key,) = settings
    with pytest.raises(pydantic.ValidationError) as caught:
        model(**settings)
    assert all(error["loc"][0] == key for error in caught.value.errors())


def test_a_rate_for_the_backbone_needs_a_backbone_that_learns():
    UnfrozenPhaseSettings(backbone_multiplier=0.1)
    PhaseSettings(backbone_multiplier=0.1, fine_tune_at=0)  # from the first layer on
    with pytest.raises(pydantic.ValidationError, match="phases in which the backbone learns"):
        PhaseSettings(backbone_multiplier=0.1)


def test_a_phase_without_a_batch_size_has_that_of_the_training():
    training = TrainingSettings(batch_size=24, unfrozen=UnfrozenPhaseSettings(batch_size=8))
    assert {n: p.batch_size for n, p in training.phases.items()} == {"frozen": 24, "unfrozen": 8}


PHASES = [
    {"name": "head", "epochs": 2, "batch_size": 4},
    {"name": "skipped", "epochs": 0},
    {"name": "top", "fine_tune_at": 100},
    {"name": "all", "fine_tune_at": "all"},
]


def test_any_list_of_phases_in_place_of_the_two_blocks():
    training = TrainingSettings(phases=PHASES)
    assert list(training.phases) == ["head", "top", "all"]
    assert [phase.batch_size for phase in training.phases.values()] == [4, 32, 32]
    assert training.names == ["head", "skipped", "top", "all"]
    assert training.key("top") == "training.phases.top"
    assert TrainingSettings().key("frozen") == "training.frozen"


def test_phases_are_dumped_as_they_are_written_and_load_again():
    training = TrainingSettings(phases=PHASES, batch_size=7, focal_gamma=1.5)
    dumped = training.model_dump()
    assert "frozen" not in dumped and [p["name"] for p in dumped["phases"]] == training.names
    assert TrainingSettings.model_validate_json(training.model_dump_json()) == training
    assert "phases" not in TrainingSettings().model_dump()


@pytest.mark.parametrize(
    ("phases", "says"),
    [
        ([], "no phase has any epochs"),
        ([{"name": "head", "epochs": 0}], "no phase has any epochs"),
        ([{"name": "head"}, {"name": "head"}], "two phases have the name head"),
        ([{"name": "The Head"}], "should match pattern"),
        ([{"name": "head/2"}], "should match pattern"),
        ([{"epochs": 3}], "Field required"),
    ],
)
def test_a_list_of_phases_that_cannot_be_is_refused(phases, says):
    with pytest.raises(pydantic.ValidationError, match=says):
        TrainingSettings(phases=phases)


@pytest.mark.parametrize("block", ["frozen", "unfrozen"])
def test_the_two_blocks_and_a_list_cannot_both_be_given(block):
    with pytest.raises(pydantic.ValidationError, match=f"{block} and phases cannot both be given"):
        TrainingSettings(**{"phases": PHASES, block: {"epochs": 3}})


@pytest.mark.parametrize(
    ("backbone", "says"),
    [
        ({"weights": "none"}, r"set training\.phases\.head\.fine_tune_at to `all`"),
        (
            {"name": "saved_model", "weights": "/somewhere"},
            r"never learns: set training\.phases\.top\.epochs to 0",
        ),
    ],
)
def test_a_listed_phase_that_does_not_go_with_the_backbone_is_named(backbone, says):
    training = TrainingSettings(phases=PHASES)
    with pytest.raises(pydantic.ValidationError, match=says):
        TrainerSettings(backbone=BackboneSettings(**backbone), training=training)


def test_a_focal_loss_and_a_teacher_do_not_go_together():
    teacher = {"teacher": "somewhere"}
    TrainerSettings(training={"label_smoothing": 0.1}, distillation=teacher)
    with pytest.raises(pydantic.ValidationError, match=r"training\.focal_gamma must be 0 with"):
        TrainerSettings(training={"focal_gamma": 0.5}, distillation=teacher)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (DistillationSettings, {"temperature": 0}),
        (DistillationSettings, {"weight": 0}),
        (DistillationSettings, {"weight": 1.1}),
        (DistillationSettings, {"classes": ["one"]}),
        (DistillationSettings, {"value_range": "0..1"}),
        (PseudoLabelSettings, {"threshold": 1}),
        (PseudoLabelSettings, {"threshold": 0}),
    ],
)
def test_a_teacher_and_pseudo_labels_have_ranges_too(model, settings):
    needed = {"teacher": "x"} if model is DistillationSettings else {"source": "x"}
    (key,) = settings
    with pytest.raises(pydantic.ValidationError) as caught:
        model(**needed, **settings)
    assert all(error["loc"][0] == key for error in caught.value.errors())


def test_settings_survive_the_way_to_the_executor():
    settings = TrainerSettings(
        head={"pooling": "flatten", "hidden": [500]},
        training={"class_weights": {"cat": 2, 7: 1.5}, "unfrozen": {"backbone_multiplier": 0.1}},
    )
    assert settings.training.class_weights == {"cat": 2.0, "7": 1.5}
    assert TrainerSettings.model_validate_json(settings.model_dump_json()) == settings


def solved(**training) -> TrainingSettings:
    return TrainingSettings(frozen={"optimizer": "lbfgs"}, **training)


def test_a_solved_phase_needs_no_epochs_and_travels_as_json():
    settings = TrainerSettings(training=solved(), views=2)
    assert settings.training.phases["frozen"].epochs == 1
    assert TrainerSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"views": None}, r"set augmentation\.views"),
        ({"head": {"hidden": [8]}}, r"leave out head\.hidden"),
        ({"head": {"pooling": "flatten"}}, r"set head\.pooling to `avg` or `max`"),
        ({"distillation": {"teacher": "x"}}, "leave out distillation"),
        ({"training": solved(focal_gamma=2.0)}, r"set training\.focal_gamma to 0"),
        ({"training": solved(label_smoothing=0.1)}, r"set training\.label_smoothing to 0"),
        (
            {
                "training": TrainingSettings(
                    phases=[
                        {"name": "top", "fine_tune_at": 100},
                        {"name": "deeper", "fine_tune_at": 50},
                        {"name": "head", "optimizer": "lbfgs"},
                    ]
                )
            },
            r"training\.phases\.head\.optimizer lbfgs .* put it before training\.phases\.top",
        ),
    ],
)
def test_what_cannot_be_solved_is_said_in_one_line(settings, says):
    with pytest.raises(pydantic.ValidationError, match=says) as error:
        TrainerSettings(**{"training": solved(), "views": 2, **settings})
    (only,) = error.value.errors()
    assert "\n" not in only["msg"]


@pytest.mark.parametrize(
    ("phase", "says"),
    [
        ({"epochs": 2}, "set epochs to 1, not 2"),
        ({"schedule": "cosine"}, "leave out schedule"),
        ({"schedule": "one_cycle"}, "leave out schedule"),
        ({"weight_decay": 0.1}, "leave out schedule and weight_decay"),
        ({"fine_tune_at": 100}, "leave out fine_tune_at"),
        ({"fine_tune_at": 0}, "leave out fine_tune_at"),
        ({"weight_decay": 0.0}, "leave out schedule and weight_decay"),
    ],
)
def test_a_solver_takes_no_steps(phase, says):
    with pytest.raises(pydantic.ValidationError, match=says):
        PhaseSettings(optimizer="lbfgs", **phase)
    with pytest.raises(pydantic.ValidationError, match="optimizer"):
        UnfrozenPhaseSettings(optimizer="lbfgs")
