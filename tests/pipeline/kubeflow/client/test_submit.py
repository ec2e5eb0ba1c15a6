"""`graft submit` against a stand-in of the REST API: what is sent, and what is refused before."""

import io
import json
import re
import sys
import types
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from components.errors import UserError
from pipeline.commands import submit as command
from pipeline.config import load_recipe
from pipeline.console import make_console
from pipeline.kubeflow.client import credentials
from pipeline.kubeflow.client.connection import ApiError
from pipeline.kubeflow.compiler import parameters
from pipeline.kubeflow.package.setting_paths import SETTING_PATHS

_SECRET = "s3cr3t-t0ken"


def test_a_run_is_the_package_unchanged_with_its_name_and_parameters(kfp, submit, package_file):
    code, out = submit(
        run_name="nightly",
        experiment="vision",
        params=("frozen_epochs=2", "data_source=s3://bucket/cats=dogs", "learning_rate=3e-4"),
        pipeline_root="s3://bucket/root",
        service_account="trainer",
    )
    assert code == 0
    (run,) = kfp.runs
    assert run["runtime_config"] == {
        "parameters": {
            "frozen_epochs": 2,
            "data_source": "s3://bucket/cats=dogs",
            "learning_rate": 0.0003,
        },
        "pipeline_root": "s3://bucket/root",
    }
    assert (run["display_name"], run["service_account"]) == ("nightly", "trainer")
    assert list(kfp.experiments) == ["vision"]
    sent = run["pipeline_spec"]
    spec, platform = yaml.safe_load_all(package_file.read_text())
    for document, key, message in (
        (spec, "pipeline_spec", pipeline_spec_pb2.PipelineSpec),
        (platform, "platform_spec", pipeline_spec_pb2.PlatformSpec),
    ):
        assert json_format.ParseDict(sent[key], message()) == json_format.ParseDict(
            document, message()
        )
    assert (
        f"{kfp.host}/#/runs/details/run-1" in out
        and f"{len(kfp.steps)} steps, new experiment vision" in out
    )


def test_defaults_leave_everything_to_package_and_server(kfp, submit):
    submit()
    (run,) = kfp.runs
    assert run["runtime_config"] == {"parameters": {}}
    assert "service_account" not in run
    assert re.fullmatch(r"digits \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", run["display_name"])
    assert list(kfp.experiments) == ["digits"]
    tasks = run["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
    assert all(task["cachingOptions"] == {"enableCache": True} for task in tasks.values())
    assert not any(path.startswith("/apis/v2beta1/pipelines") for path in kfp.paths())


def test_no_cache_switches_off_every_step(kfp, submit):
    submit(use_cache=False)
    tasks = kfp.runs[0]["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
    assert [t.get("cachingOptions", {}).get("enableCache", False) for t in tasks.values()] == (
        [False] * len(kfp.steps)
    )


def test_a_package_is_uploaded_as_a_version_of_a_named_pipeline_once(kfp, submit, package_file):
    code, out = submit(pipeline="vision", params=("frozen_epochs=2",))
    assert code == 0
    ((version_id, version),) = kfp.versions.items()
    assert list(yaml.safe_load_all(version["text"])) == list(
        yaml.safe_load_all(package_file.read_text())
    )
    reference = {"pipeline_id": "pipeline-0", "pipeline_version_id": version_id}
    (run,) = kfp.runs
    assert run["pipeline_version_reference"] == reference and "pipeline_spec" not in run
    assert run["runtime_config"] == {"parameters": {"frozen_epochs": 2}}
    name = version["display_name"]
    link = f"{kfp.host}/#/pipelines/details/pipeline-0/version/{version_id}"
    assert f"Pipeline vision, version {name} (uploaded): {link}" in out

    _, out = submit(pipeline="vision")
    assert f"version {name} (there already)" in out
    assert len(kfp.pipelines) == len(kfp.versions) == 1
    assert kfp.runs[1]["pipeline_version_reference"] == reference

    submit(pipeline="vision", pipeline_version="2026-11", cron="30 3 * * *")
    assert [v["display_name"] for v in kfp.versions.values()] == [name, "2026-11"]
    (schedule,) = kfp.schedules.values()
    assert schedule["pipeline_version_reference"]["pipeline_version_id"] == "version-1"
    with pytest.raises(UserError, match=r"--pipeline-version 2026-11: pipeline vision has a vers"):
        submit(pipeline="vision", pipeline_version="2026-11")
    assert len(kfp.runs) == 2


def test_a_pipeline_is_of_a_namespace_where_there_are_several_users(kfp, submit):
    kfp.multi_user = True
    submit(pipeline="vision", namespace="me")
    assert [p["namespace"] for p in kfp.pipelines.values()] == ["me"]


def test_an_experiment_that_is_there_is_taken(kfp, submit):
    kfp.experiments["digits"] = {"experiment_id": "exp-7", "display_name": "digits"}
    _, out = submit()
    assert kfp.runs[0]["experiment_id"] == "exp-7" and "new" not in out
    assert "/apis/v2beta1/experiments" not in kfp.paths("POST")


def test_a_recipe_is_compiled_first(kfp, submit, package_file, monkeypatch):
    def compile_package(recipe):
        assert (recipe.name, recipe.seed) == ("digits", 7)
        return package_file.read_text()

    compiler = types.SimpleNamespace(compile_package=compile_package)  # TFX takes ten seconds
    monkeypatch.setitem(sys.modules, "pipeline.kubeflow.compiler.compile_package", compiler)
    code, shown = submit("digits", ["seed=7", "kubeflow.image=graft:latest"])
    assert code == 0 and len(kfp.runs) == 1
    assert "Warning: kubeflow.image: graft:latest may be another image tomorrow" in shown


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"host": None}, "where is Kubeflow Pipelines? Give its address here or in KF_PIPELINES"),
        ({"host": "kfp.example"}, "begins with http:// or https://"),
        ({"host": "https://"}, "begins with http:// or https://"),
        ({"host": "ftp://kfp.example"}, "begins with http:// or https://"),
        ({"host": "http://h/pipeline/#/runs"}, "leave out what follows http://h/pipeline"),
        ({"host": f"https://me:{_SECRET}@h"}, "without user and password"),
        ({"token_file": Path("nowhere")}, "token file nowhere: No such file"),
        ({"ca_cert": Path("nowhere")}, "--ca-cert nowhere: there is no such file"),
        ({"ca_cert": Path("/")}, "--ca-cert /: there is no such file"),
        ({"pipeline_root": "runs/here"}, "minio://bucket/folder"),
        ({"pipeline_root": "s3://"}, "s3://bucket/folder"),
        ({"cron": "0 3 * *"}, "minute, hour, day, month and day of the week"),
        ({"cron": "0 3 * * *", "wait": True}, "--cron starts none now"),
        ({"timeout_seconds": 5.0}, "give --wait too"),
        ({"timeout_seconds": 0.0}, "give --wait too"),
        ({"replace": True}, "give --cron too"),
        ({"pipeline_version": "1"}, "names a version of a pipeline: give --pipeline too"),
        ({"pipeline": "p", "use_cache": False}, "--no-cache changes what is sent, and --pipeline"),
        ({"params": ("frozen_epochs",)}, "write key=value, as in data_source=digits"),
        ({"params": ("frozen_epoch=1",)}, "no such parameter (did you mean `frozen_epochs`?)"),
        ({"params": ("x=1",)}, "It has: data_source, frozen_epochs, learning_rate"),
        ({"params": ("frozen_epochs=2.5",)}, "whole number, such as 4, its default, not '2.5'"),
        ({"params": ("learning_rate=nan",)}, "must be a number, such as 0.001"),
        ({"params": ("data_source=a", "data_source=b")}, "--param data_source: it is given twice"),
        ({"overrides": ["seed=1"]}, "is compiled: use --param"),
        ({"target": "digts"}, "did you mean `digits`?"),
    ],
)
def test_a_mistake_is_found_before_anything_is_sent(kfp, submit, options, says):
    with pytest.raises(ValueError) as raised:
        submit(**options)
    message = str(raised.value)
    assert says in message and "\n" not in message and _SECRET not in message
    assert kfp.requests == []


def test_what_the_trainer_would_refuse_an_hour_later_is_refused_now(kfp, submit, tmp_path):
    recipe = load_recipe("digits")
    exposed = {p.name: p for p in parameters.exposed_settings(recipe, "digits", "served")}
    spec, platform = kfp.package_documents()
    constants = {
        "custom_config": json.dumps({"settings": recipe.trainer.model_dump_json()}),
        SETTING_PATHS: json.dumps({"frozen_epochs": exposed["frozen_epochs"].setting_path}),
    }
    inputs = spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]
    declared = spec["components"]["Trainer"]["inputDefinitions"]["parameters"]
    for name, text in constants.items():
        inputs[name] = {"runtimeValue": {"constant": text}}
        declared[name] = {"parameterType": "STRING"}
    package = tmp_path / "package.yaml"
    package.write_text(yaml.safe_dump_all([spec, platform]))
    with pytest.raises(UserError, match=r"frozen_epochs: .*, not -3"):
        submit(package, params=("frozen_epochs=-3",))
    assert kfp.requests == []
    submit(package, params=("frozen_epochs=3",))
    assert kfp.runs[0]["runtime_config"]["parameters"] == {"frozen_epochs": 3}
    inputs[SETTING_PATHS]["runtimeValue"]["constant"] = "not JSON"
    package.write_text(yaml.safe_dump_all([spec, platform]))
    with pytest.raises(UserError, match=r"Trainer: .* compile it again"):
        submit(package)


def test_a_parameter_without_default_must_be_given(kfp, submit, tmp_path):
    spec, platform = kfp.package_documents()
    del spec["root"]["inputDefinitions"]["parameters"]["data_source"]["defaultValue"]
    package = tmp_path / "package.yaml"
    package.write_text(yaml.safe_dump_all([spec, platform]))
    with pytest.raises(UserError, match="data_source"):
        submit(package)
    assert kfp.requests == []


def test_a_package_edited_by_hand_is_refused_before_anything_is_sent(kfp, submit, tmp_path):
    spec, platform = kfp.package_documents()
    spec["root"]["dag"]["tasks"]["Trainer"]["componentRef"]["name"] = "Trainr"
    path = tmp_path / "edited.yaml"
    path.write_text(yaml.safe_dump_all([spec, platform]))
    with pytest.raises(UserError, match="Trainr"):
        submit(path)
    renamed = path.rename(tmp_path / "edited.txt")
    with pytest.raises(UserError, match=r"ends in \.yaml"):
        submit(renamed)
    assert kfp.requests == []


# Schedules


def test_a_schedule_has_six_fields_no_catching_up_and_one_run_at_a_time(kfp, submit):
    code, out = submit(cron="30 3 * * MON-FRI", params=("frozen_epochs=1",))
    (schedule,) = kfp.schedules.values()
    assert code == 0 and kfp.runs == []
    assert schedule["trigger"] == {"cron_schedule": {"cron": "0 30 3 * * MON-FRI"}}
    assert schedule["no_catchup"] is True and int(schedule["max_concurrency"]) == 1
    assert (schedule["mode"], schedule["display_name"]) == ("ENABLE", "digits")
    assert schedule["runtime_config"]["parameters"] == {"frozen_epochs": 1}
    assert "platform_spec" in schedule["pipeline_spec"]
    assert "Schedule digits (new): 0 30 3 * * MON-FRI (second minute hour" in out
    assert f"/#/recurringrun/details/{schedule['recurring_run_id']}" in out


def test_a_second_schedule_of_the_same_name_is_refused_or_takes_its_place(kfp, submit):
    submit(cron="30 3 * * *")
    with pytest.raises(UserError, match=r"there is a schedule digits .* \(0 30 3 \* \* \*\)"):
        submit(cron="0 4 * * *")
    assert len(kfp.schedules) == 1
    submit(cron="0 4 * * *", run_name="another")
    assert len(kfp.schedules) == 2
    _, out = submit(cron="0 5 * * *", replace=True)
    crons = [(s["display_name"], s["trigger"]["cron_schedule"]["cron"]) for s in _all(kfp)]
    assert crons == [("another", "0 0 4 * * *"), ("digits", "0 0 5 * * *")]
    assert "replaces 1" in out


def test_a_schedule_that_cannot_be_made_leaves_the_old_one(kfp, submit):
    submit(cron="30 3 * * *")
    kfp.failures = [("POST", "/recurringruns", 400, {"message": "no"})]
    with pytest.raises(ApiError, match="answers 400: no"):
        submit(cron="0 5 * * *", replace=True)
    assert [s["trigger"]["cron_schedule"]["cron"] for s in _all(kfp)] == ["0 30 3 * * *"]


def _all(kfp):
    return list(kfp.schedules.values())


def test_the_namespace_that_is_given_goes_before_that_of_the_pod(
    kfp, submit, monkeypatch, tmp_path
):
    kfp.multi_user = True
    (tmp_path / "namespace").write_text("pod")
    monkeypatch.setattr(credentials, "_MOUNTED_NAMESPACE", tmp_path / "namespace")
    submit(namespace="me", experiment="mine")
    submit(experiment="here")
    assert {name: e["namespace"] for name, e in kfp.experiments.items()} == {
        "mine": "me",
        "here": "pod",
    }


def test_the_name_of_a_run_is_not_that_of_its_experiment(kfp, submit):
    submit(run_name="nightly")
    assert list(kfp.experiments) == ["digits"]


@pytest.mark.parametrize(
    ("token", "in_clear", "warns"), [("t", True, True), ("", True, False), ("t", False, False)]
)
def test_a_token_that_others_can_read_is_told(submit, monkeypatch, token, in_clear, warns):
    monkeypatch.setenv("KFP_TOKEN", token)
    monkeypatch.setattr(command, "crosses_network_in_clear", lambda host: in_clear)
    assert ("is not https: others can read the token" in submit()[1]) == warns


def test_every_schedule_of_the_same_name_is_told_and_replaced(kfp, submit):
    for number, trigger in enumerate((None, {}, {"cron_schedule": {"cron": "0 0 7 * * *"}})):
        name = f"old-{number}"
        kfp.schedules[name] = {
            "display_name": "digits",
            "experiment_id": "exp-1",
            "recurring_run_id": name,
            "trigger": trigger,
        }
    with pytest.raises(UserError, match=r"already \(0 0 7 \* \* \*(, not by cron){2}\): --repl"):
        submit(cron="0 5 * * *")
    _, out = submit(cron="0 5 * * *", replace=True)
    assert "replaces 3" in out
    assert [s["trigger"]["cron_schedule"]["cron"] for s in _all(kfp)] == ["0 0 5 * * *"]


def test_the_fields_of_a_nickname_are_not_explained(submit):
    out = submit(cron="@daily")[1]
    assert "Schedule digits (new): @daily, in the cluster's time zone" in out


@pytest.mark.parametrize("verbose", [False, True])
def test_noise_stays_on_the_terminal_if_that_is_wanted(submit, monkeypatch, verbose):
    monkeypatch.setattr(command, "check_run_parameters", lambda *_: print("a word of TensorFlow"))
    assert ("a word of TensorFlow" in submit(verbose=verbose)[1]) == verbose


def test_an_address_is_not_broken_or_coloured_however_narrow_the_terminal():
    options = {"force_terminal": True, "color_system": "standard", "no_color": False}
    console = make_console(file=io.StringIO(), width=20, **options)
    command._print(console, "Run [bold]7[/] of 'x': http://host/#/runs/details/1")
    told = "Run \x1b[1m7\x1b[0m of 'x': http://host/#/runs/details/1\n"
    assert console.file.getvalue() == told


def test_nothing_is_left_where_the_command_was_started(submit, monkeypatch, tmp_path):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert submit()[0] == 0 and list((tmp_path / "here").iterdir()) == []
