"""Parameters of a run: which there are, and how their values reach a step."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from components.trainer.settings.trainer import TrainerSettings
from pipeline.config import Recipe, load_recipe
from pipeline.kubeflow.compiler.parameters import exposed_settings
from pipeline.kubeflow.package.setting_paths import MOUNT_PATHS, SCHEMA_TEXT, SETTING_PATHS
from pipeline.kubeflow.step.run_parameters import apply_run_parameters


def parameters(recipe):
    return {p.name: p for p in exposed_settings(recipe, "digits", "/mnt/serving")}


def with_names(*keys):
    return load_recipe("digits", [f"kubeflow.parameters=[{', '.join(keys)}]"])


def handed_over(recipe, **chosen):
    """What the Trainer's step is handed for a run that chooses some values."""
    of_trainer = {name: p for name, p in parameters(recipe).items() if p.setting_path}
    return {
        "custom_config": json.dumps(
            {"settings": recipe.trainer.model_dump_json(), "code_digest": "0"}
        ),
        "run_fn": "components.trainer.run_fn.run_fn",
        SETTING_PATHS: json.dumps({name: p.setting_path for name, p in of_trainer.items()}),
        **{name: chosen.get(name, p.default) for name, p in of_trainer.items()},
    }


def settings_of(values):
    return TrainerSettings.model_validate_json(json.loads(values["custom_config"])["settings"])


def test_every_phase_has_its_epochs_in_the_form():
    found = parameters(load_recipe("digits"))
    assert {name: (p.type, p.default) for name, p in found.items()} == {
        "data_source": ("STRING", "digits"),
        "push_destination": ("STRING", "/mnt/serving"),
        "frozen_epochs": ("NUMBER_INTEGER", 8),
        "unfrozen_epochs": ("NUMBER_INTEGER", 12),
    }
    one = parameters(load_recipe("digits", ["training.unfrozen.epochs=0"]))
    assert "unfrozen_epochs" not in one


def three_phases():
    phases = [
        {"name": "head", "epochs": 1},
        {"name": "top-layers", "epochs": 2, "fine_tune_at": 100},
        {"name": "all", "epochs": 3, "fine_tune_at": "all"},
    ]
    return Recipe(name="three", training={"phases": phases})


def test_phases_of_a_list_have_theirs_too():
    recipe = three_phases()
    found = parameters(recipe)
    assert [name for name in found if name.endswith("_epochs")] == [
        "head_epochs",
        "top_layers_epochs",
        "all_epochs",
    ]
    settings = settings_of(apply_run_parameters(handed_over(recipe, top_layers_epochs=7)))
    assert [phase.epochs for phase in settings.training.phases.values()] == [1, 7, 3]


def test_a_recipe_may_add_settings_of_training_and_head():
    found = parameters(
        with_names("training.batch_size", "training.frozen.learning_rate", "head.dropout")
    )
    assert (found["batch_size"].type, found["batch_size"].default) == ("NUMBER_INTEGER", 32)
    assert found["frozen_learning_rate"].type == "NUMBER_DOUBLE"
    assert found["head_dropout"].default == 0.2


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (
            "training.mixed_precision",
            "training.mixed_precision is true or false; a run parameter is a text or a number",
        ),
        ("training.frozen.batch_size", "training.frozen.batch_size is not set; a run parameter"),
        ("training.frozen", "training.frozen is a block or list"),
        ("training.batchsize", "there is no training.batchsize in this recipe; training has batch"),
        ("training.top.epochs", "there is no training.top.epochs in this recipe; training has"),
        ("augmentation.rotation", "augmentation.rotation is not below training or head"),
        ("training.frozen.epochs", "frozen_epochs (training.frozen.epochs) is there twice"),
    ],
)
def test_what_cannot_be_a_parameter_is_told(key, says):
    recipe = with_names(key)
    with pytest.raises(ValueError) as error:
        exposed_settings(recipe, "digits", "/mnt/serving")
    assert says in str(error.value)


def test_values_of_a_run_reach_the_settings_and_nothing_else_is_left():
    recipe = with_names("training.frozen.learning_rate")
    values = apply_run_parameters(handed_over(recipe, frozen_epochs=3.0, frozen_learning_rate=0.5))
    assert set(values) == {"custom_config", "run_fn"}
    assert json.loads(values["custom_config"])["code_digest"] == "0"
    settings = settings_of(values)
    assert settings.training.frozen.epochs == 3
    assert settings.training.frozen.learning_rate == 0.5
    assert settings.training.unfrozen == recipe.training.unfrozen
    assert settings.backbone == recipe.backbone


def test_a_run_that_chooses_nothing_trains_what_the_recipe_says():
    recipe = load_recipe("digits")
    assert settings_of(apply_run_parameters(handed_over(recipe))) == recipe.trainer


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (
            {"frozen_epochs": -1},
            "run parameter frozen_epochs: input should be greater than or equal to 0, not -1",
        ),
        ({"frozen_epochs": 2.5}, "run parameter frozen_epochs: input should be a valid integer"),
        (
            {"frozen_epochs": 0, "unfrozen_epochs": 0},
            "run parameters frozen_epochs=0, unfrozen_epochs=0: frozen.epochs and unfrozen.epochs "
            "are both 0",
        ),
    ],
)
def test_a_value_that_cannot_be_names_its_parameter(chosen, says):
    with pytest.raises(ValueError) as error:
        apply_run_parameters(handed_over(load_recipe("digits"), **chosen))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_the_schema_comes_with_the_package():
    values = apply_run_parameters({"schema_file": "", SCHEMA_TEXT: "feature {}"})
    assert set(values) == {"schema_file"}
    assert Path(values["schema_file"]).read_text() == "feature {}"


def test_a_destination_must_outlive_the_pod():
    volumes = json.dumps(["/mnt/pictures", "/mnt/serving"])
    good = {"push_destination": "/mnt/serving/digits", MOUNT_PATHS: volumes}
    assert apply_run_parameters(good) == {"push_destination": "/mnt/serving/digits"}
    for path in ("/srv/digits", "/mnt/servings", "/mnt/serving/../x", "runs/digits"):
        with pytest.raises(ValueError, match=rf"push_destination: {path} is on no volume.*below"):
            apply_run_parameters({"push_destination": path, MOUNT_PATHS: volumes})


def test_steps_without_extras_are_left_alone():
    values = {"source": "digits", "settings": "{}"}
    assert apply_run_parameters(values) == values


@pytest.mark.slow
def test_neither_tfx_nor_tensorflow_is_imported():
    code = (
        "import sys, pipeline.kubeflow.compiler.parameters\n"
        "sys.exit(', '.join({'tfx', 'tensorflow', 'kfp'} & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
