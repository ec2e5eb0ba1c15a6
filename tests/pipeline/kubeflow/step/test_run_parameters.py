"""How the values of run parameters reach the settings of a step, inside its pod."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from components.errors import UserError
from components.trainer.settings.trainer import TrainerSettings
from pipeline.kubeflow.package.setting_paths import (
    FILES_FINGERPRINT,
    MOUNT_PATHS,
    NOTHING,
    RECIPE_PATHS,
    SCHEMA_TEXT,
    SETTING_PATHS,
)
from pipeline.kubeflow.step.run_parameters import apply_run_parameters, check_run_parameters

PATHS = {
    "frozen_epochs": ["training", "frozen", "epochs"],
    "unfrozen_epochs": ["training", "unfrozen", "epochs"],
    "frozen_learning_rate": ["training", "frozen", "learning_rate"],
}
SETTINGS = TrainerSettings(seed=3)


def handed_over(settings=SETTINGS, paths=PATHS, **chosen):
    """What the Trainer's step is handed for a run that chooses some values."""
    values = {}
    for name, path in paths.items():
        value = settings.model_dump(mode="json")
        for part in path:
            value = value[part]
        values[name] = value
    return {
        "custom_config": json.dumps({"settings": settings.model_dump_json(), "code_digest": "0"}),
        "run_fn": "components.trainer.run_fn.run_fn",
        SETTING_PATHS: json.dumps(paths),
        **values,
        **chosen,
    }


def settings_of(values):
    return TrainerSettings.model_validate_json(json.loads(values["custom_config"])["settings"])


def test_values_of_a_run_reach_the_settings_and_nothing_else_is_left():
    given = handed_over(frozen_epochs=3.0, frozen_learning_rate=0.5)
    values = apply_run_parameters(given | {FILES_FINGERPRINT: "for the key of the cache"})
    assert set(values) == {"custom_config", "run_fn"}
    assert json.loads(values["custom_config"])["code_digest"] == "0"
    settings = settings_of(values)
    assert settings.training.frozen.epochs == 3
    assert settings.training.frozen.learning_rate == 0.5
    assert settings.training.unfrozen == SETTINGS.training.unfrozen
    assert (settings.backbone, settings.seed) == (SETTINGS.backbone, 3)


def test_values_reach_a_phase_of_a_list():
    phases = [{"name": "head", "epochs": 1}, {"name": "all", "epochs": 3, "fine_tune_at": "all"}]
    settings = TrainerSettings(training={"phases": phases})
    paths = {"all_epochs": ["training", "phases", 1, "epochs"]}
    values = apply_run_parameters(handed_over(settings, paths, all_epochs=7))
    assert [p.epochs for p in settings_of(values).training.phases.values()] == [1, 7]
    with pytest.raises(UserError, match=r"^run parameter all_epochs: .* not -1$"):
        apply_run_parameters(handed_over(settings, paths, all_epochs=-1))


def test_a_run_that_chooses_nothing_trains_what_the_recipe_says():
    assert settings_of(apply_run_parameters(handed_over())) == SETTINGS


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (
            {"frozen_epochs": -1},
            "run parameter frozen_epochs: input should be greater than or equal to 0, not -1",
        ),
        ({"frozen_epochs": 2.5}, "run parameter frozen_epochs: input should be a valid integer"),
        (
            {"frozen_epochs": -1, "frozen_learning_rate": 0.0},
            "run parameter frozen_epochs: input should be greater than or equal to 0, not -1; "
            "run parameter frozen_learning_rate: input should be greater than 0, not 0",
        ),
        (
            {"frozen_epochs": 0, "unfrozen_epochs": 0},
            "run parameters frozen_epochs=0, unfrozen_epochs=0, frozen_learning_rate=0.0003: "
            "frozen.epochs and unfrozen.epochs are both 0",
        ),
    ],
)
def test_a_value_that_cannot_be_names_its_parameter(chosen, says):
    with pytest.raises(ValueError) as error:
        apply_run_parameters(handed_over(**chosen))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_the_schema_comes_with_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    values = apply_run_parameters({"schema_file": "", SCHEMA_TEXT: "feature {}"})
    assert set(values) == {"schema_file"}
    schema = Path(values["schema_file"])
    assert schema.read_text() == "feature {}" and tmp_path in schema.parents


def test_a_destination_must_outlive_the_pod():
    volumes = json.dumps(["/mnt/pictures", "/mnt/serving"])
    good = {"push_destination": "/mnt/serving/digits", MOUNT_PATHS: volumes}
    assert apply_run_parameters(good) == {"push_destination": "/mnt/serving/digits"}
    bucket = {"push_destination": "s3://models/digits", MOUNT_PATHS: "[]"}
    assert apply_run_parameters(bucket) == {"push_destination": "s3://models/digits"}
    with pytest.raises(
        ValueError, match=r"^run parameter push_destination: gs://models/digits: pic"
    ):
        apply_run_parameters({"push_destination": "gs://models/digits", MOUNT_PATHS: "[]"})
    for path in ("/srv/digits", "/mnt/servings", "/mnt/serving/../x", "runs/digits"):
        with pytest.raises(ValueError, match=rf"push_destination: {path} is on no volume.*below"):
            apply_run_parameters({"push_destination": path, MOUNT_PATHS: volumes})
    with pytest.raises(ValueError, match=r"or a folder below a mounted volume$"):
        apply_run_parameters({"push_destination": "/srv/digits", MOUNT_PATHS: "[]"})


def test_the_record_of_a_push_says_what_the_model_was_made_from():
    handed = {
        "provenance": json.dumps(
            {
                "recipe": {"data": {"source": "digits"}, "training": {"phases": [{"epochs": 1}]}},
                "code": "of the compilation",
                "inputs": {"asked": "kept", "input_fingerprint": "of the compilation"},
            }
        ),
        RECIPE_PATHS: json.dumps(
            {"run_source": ["data", "source"], "run_epochs": ["training", "phases", 0, "epochs"]}
        ),
        "run_source": "/mnt/pictures",
        "run_epochs": 3.0,
        "machine": '{"code": "abc", "processor": "an abacus"}',
        "input_fingerprint": "pictures",
        "ledger_fingerprint": NOTHING,
        "weights_fingerprint": "weights",
        "teacher_fingerprint": NOTHING,
    }
    values = apply_run_parameters(handed)
    assert set(values) == {"provenance"}
    assert json.loads(values["provenance"]) == {
        "recipe": {"data": {"source": "/mnt/pictures"}, "training": {"phases": [{"epochs": 3}]}},
        "code": "abc",
        "processor": "an abacus",
        "inputs": {
            "asked": "kept",
            "input_fingerprint": "pictures",
            "ledger_fingerprint": "",
            "weights_fingerprint": "weights",
            "teacher_fingerprint": "",
        },
    }
    assert values["provenance"].startswith('{\n  "recipe": {\n    "data": {'), (
        "to be read by people, as after a run elsewhere"
    )
    assert '"epochs": 3\n' in values["provenance"], "JSON has one kind of number"
    of_image_example_gen = {"source": "digits", "input_fingerprint": "pictures"}
    assert apply_run_parameters(of_image_example_gen) == of_image_example_gen


def test_steps_without_extras_are_left_alone():
    values = {"source": "digits", "settings": "{}"}
    assert apply_run_parameters(values) == values


def spec_of(**steps):
    """A PipelineSpec of steps with these input parameters; a text in `<>` is a run parameter."""

    def source(value):
        if value.startswith("<"):
            return {"componentInputParameter": value.strip("<>")}
        return {"runtimeValue": {"constant": value}}

    tasks = {
        step: {"inputs": {"parameters": {name: source(v) for name, v in values.items()}}}
        for step, values in steps.items()
    }
    return {"root": {"dag": {"tasks": tasks}}}


def test_the_values_of_a_run_are_tried_out_on_every_step():
    trainer = {name: v for name, v in handed_over().items() if isinstance(v, str)}
    trainer |= {name: f"<{name}>" for name in PATHS}
    pusher = {"push_destination": "<push_destination>", MOUNT_PATHS: '["/mnt/serving"]'}
    spec = spec_of(ImportSchemaGen={SCHEMA_TEXT: "feature {}"}, Trainer=trainer, Pusher=pusher)
    values = {
        "frozen_epochs": 1,
        "unfrozen_epochs": 1,
        "frozen_learning_rate": 0.1,
        "push_destination": "/mnt/serving/digits",
    }
    check_run_parameters(spec, values)
    with pytest.raises(UserError, match=r"run parameter frozen_epochs: .*, not -1"):
        check_run_parameters(spec, {**values, "frozen_epochs": -1})
    with pytest.raises(UserError, match="push_destination: /srv is on no volume"):
        check_run_parameters(spec, {**values, "push_destination": "/srv"})
    for source in ("digits", "/mnt/pictures", "s3://bucket/pictures"):
        check_run_parameters(spec, {**values, "data_source": source})
    for source in ("pictures", ""):  # the latter of a variable of the shell that is not set
        with pytest.raises(UserError, match=f"data_source: '{source}' is a path of this machine"):
            check_run_parameters(spec, {**values, "data_source": source})


@pytest.mark.parametrize(
    "paths",
    [
        '{"frozen_epochs": ["training", "phase", "epochs"]}',
        '{"frozen_epochs": ["seed", "epochs"]}',  # which is a number
        '{"unheard_of": ["seed"]}',
        '{"frozen_epochs": ["training", "phases", 1, "epochs"]}',  # of one
        '["frozen_epochs"]',
        "{",
    ],
)
def test_a_package_that_contradicts_itself_is_to_be_compiled_again(paths):
    settings = TrainerSettings(training={"phases": [{"name": "all", "epochs": 1}]})
    trainer = handed_over(settings, {})
    trainer |= {"frozen_epochs": "<frozen_epochs>", SETTING_PATHS: paths}
    with pytest.raises(UserError, match=r"^Trainer: the package's .* do not fit its settings: com"):
        check_run_parameters(spec_of(Trainer=trainer), {"frozen_epochs": 1})


@pytest.mark.slow
def test_a_container_starts_without_tensorflow_and_the_recipes_code():
    """What only a compiler needs would make every container slower, and its cache key wider."""
    unwanted = {"tfx", "tensorflow", "keras", "kfp", "pipeline.config", "pipeline.pipeline"}
    code = (
        "import sys, pipeline.kubeflow.step.entrypoint\n"
        f"sys.exit(', '.join({unwanted} & sys.modules.keys()) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
