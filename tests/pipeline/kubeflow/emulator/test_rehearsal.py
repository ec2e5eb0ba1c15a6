"""The rehearsal, with steps that take a moment: a script stands in for Graft's entrypoint."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import pipeline
from pipeline.commands.rehearse import rehearse_package
from pipeline.kubeflow.emulator.rehearsal import Rehearsal, StepError
from pipeline.kubeflow.package.documents import load_package
from pipeline.run_result import RunError

# Plays the part that `mode` says: what TFX and our components would leave, or a mistake.
SCRIPT = """
import json, os, pathlib, sys, time
name, given = sys.argv[1], json.loads(sys.argv[2])
root = os.environ["GRAFT_LAUNCHER_ROOT"]
def local(artifact):
    uri = artifact["uri"].replace("gs://", "gcs/").replace("minio://", "minio/")
    return pathlib.Path(root, uri)
parameters, inputs = given["inputs"]["parameterValues"], given["inputs"]["artifacts"]
outputs = given["outputs"]["artifacts"]
mode = parameters["mode"] if name == parameters["where"] else ""
written = {}
for key, entry in outputs.items():
    if key == "executor-logs":
        continue
    (artifact,) = entry["artifacts"]
    artifact.pop("type")
    folder = local(artifact)
    assert folder.parent.is_dir() and not folder.exists(), "the launcher makes the parents only"
    folder.mkdir()
    metadata = artifact.setdefault("metadata", {})
    metadata["seen"] = ["one", "two"]
    if mode == "null metadata": metadata["nothing"] = None
    if mode == "unknown field": artifact["colour"] = "red"
    written[key] = {"artifacts": [artifact]}
print("this is", name, "on GPU", os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
for key, entry in inputs.items():
    (artifact,) = entry["artifacts"]
    assert artifact["type"] == {"instanceSchema": ""}, artifact
    assert artifact["metadata"]["seen"] == {"list": ["one", "two"]}, artifact
    print(key, "has files:", local(artifact).is_dir(), flush=True)
accurate = {"name": "accuracy", "verdict": "fail" if mode == "gate" else "pass",
            "value": 0.5, "bound": 0.8, "message": "0.5000, at least 0.8 wanted"}
checks = {"name": "load", "verdict": "pass", "value": 1.0, "bound": 9.0, "message": "loaded"}
metrics = {"classes": ["a"], "overall": {"accuracy": 0.5}, "served": {}, "per_class": {},
           "confusion": [[1]]}
def write(key, file, content): (local(outputs[key]["artifacts"][0]) / file).write_text(content)
if name == "Evaluator":
    write("blessing", "gates.json", json.dumps([accurate]))
    write("evaluation", "metrics.json", json.dumps(metrics))
    write("blessing", "NOT_BLESSED" if mode == "gate" else "BLESSED", "")
if name == "ServingGate":
    write("infra_blessing", "gates.json", json.dumps([checks]))
if name == "Pusher":
    if not (local(inputs["model_blessing"]["artifacts"][0]) / "BLESSED").exists():
        pathlib.Path(root, "dev/termination-log").write_text("not pushed. accuracy: too low")
        sys.exit(1)
    version = pathlib.Path(parameters["push_destination"], "7")
    version.mkdir(parents=True)
    written["pushed_model"]["artifacts"][0]["metadata"].update(
        pushed=1, pushed_version="7", pushed_destination=str(version))
if mode == "local path":
    for entry in written.values(): entry["artifacts"][0]["uri"] = "/minio/somewhere"
if mode == "killed":
    os.kill(os.getpid(), 9)
if mode == "sleep":
    print(os.getpid(), flush=True)
    time.sleep(300)
if mode == "fail":
    print("something is wrong", file=sys.stderr)
    sys.exit(2)
path = pathlib.Path(root + given["outputs"]["outputFile"])
path.write_text(json.dumps({"artifacts": written}))
"""

# Step: input artifacts as (key, producer, its output key), output artifacts with their types.
STEPS = {
    "BaselineFinder": ([], {"baseline": "Model"}),
    "Evaluator": (
        [("baseline_model", "BaselineFinder", "baseline")],
        {"evaluation": "ModelEvaluation", "blessing": "ModelBlessing"},
    ),
    "ServingGate": ([], {"infra_blessing": "InfraBlessing"}),
    "Pusher": (
        [
            ("model_blessing", "Evaluator", "blessing"),
            ("infra_blessing", "ServingGate", "infra_blessing"),
        ],
        {"pushed_model": "PushedModel"},
    ),
}
PARAMETERS = {"mode": "", "where": "", "push_destination": "/mnt/graft/serving"}


def artifact_type(name: str) -> dict:
    return {"artifactType": {"instanceSchema": f"title: tfx.{name}\ntype: object\n"}}


def make_spec() -> dict:
    """A PipelineSpec of four steps."""
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "tiny"},
        "sdkVersion": "tfx-1.16.0",
        "deploymentSpec": {"executors": {}},
        "components": {},
        "root": {
            "inputDefinitions": {
                "parameters": {
                    name: {"parameterType": "STRING", "defaultValue": value}
                    for name, value in PARAMETERS.items()
                }
            },
            "dag": {"tasks": {}},
        },
    }
    for name, (inputs, outputs) in STEPS.items():
        label = f"{name}_executor"
        spec["deploymentSpec"]["executors"][label] = {
            "container": {
                "image": "registry.example.com/graft:1",
                "command": ["python", "-c", SCRIPT, name],
                "args": ["{{$}}"],
            }
        }
        types = {key: STEPS[producer][1][output] for key, producer, output in inputs}
        spec["components"][name] = {
            "executorLabel": label,
            "inputDefinitions": {
                "artifacts": {key: artifact_type(title) for key, title in types.items()},
                "parameters": {parameter: {"parameterType": "STRING"} for parameter in PARAMETERS},
            },
            "outputDefinitions": {
                "artifacts": {key: artifact_type(title) for key, title in outputs.items()}
            },
        }
        task = {
            "taskInfo": {"name": name},
            "componentRef": {"name": name},
            "inputs": {
                "artifacts": {
                    key: {
                        "taskOutputArtifact": {
                            "producerTask": producer,
                            "outputArtifactKey": output,
                        }
                    }
                    for key, producer, output in inputs
                },
                "parameters": {
                    parameter: {"componentInputParameter": parameter} for parameter in PARAMETERS
                },
            },
        }
        if inputs:
            task["dependentTasks"] = sorted({producer for _, producer, _ in inputs})
        spec["root"]["dag"]["tasks"][name] = task
    return spec


def make_platform() -> dict:
    """A PlatformSpec that mounts the claim `graft` everywhere."""
    mount = {
        "constant": "graft",
        "pvcNameParameter": {"runtimeValue": {"constant": "graft"}},
        "mountPath": "/mnt/graft",
    }
    executors = {f"{name}_executor": {"pvcMount": [copy.deepcopy(mount)]} for name in STEPS}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


class Recorder:
    def __init__(self):
        self.started, self.figures = [], {}

    def run_started(self, node_ids):
        self.node_ids = list(node_ids)

    def node_started(self, node_id):
        self.started.append(node_id)

    def node_finished(self, report):
        self.figures[report.node_id] = report.summary


@pytest.fixture
def write(tmp_path):
    """`write(spec, platform)` writes a package; gives its path."""

    def write(spec=None, platform=None) -> Path:
        path = tmp_path / "package.yaml"
        path.write_text(yaml.safe_dump_all([spec or make_spec(), platform or make_platform()]))
        return path

    return write


@pytest.fixture
def listener():
    return Recorder()


@pytest.fixture
def rehearse(write, tmp_path, listener):
    """Runs the package; gives the rehearsal and its result."""

    def rehearse(given=None, keep=False, package=None, **options):
        rehearsal = Rehearsal(
            load_package(package or write()), tmp_path / "work", given or {}, **options
        )
        return rehearsal, rehearsal.run(listener, keep)

    return rehearse


def test_the_steps_run_in_order_and_the_model_lands_on_the_claim(rehearse, listener, tmp_path):
    rehearsal, result = rehearse()
    assert sorted(listener.started) == sorted(STEPS) and listener.started[-1] == "Pusher"
    assert listener.started.index("BaselineFinder") < listener.started.index("Evaluator")
    assert result.succeeded and not result.message
    assert [gate.name for gate in result.gates] == ["accuracy", "load"]
    assert result.pushed_path == str(tmp_path / "work" / "pvc" / "graft" / "serving" / "7")
    assert Path(result.pushed_path).is_dir()
    assert rehearsal.destination == Path(result.pushed_path).parent
    assert listener.figures["Pusher"] == "version 7"
    assert listener.figures["Evaluator"] == "test accuracy 0.5000"
    log = next(rehearsal.folder.glob("logs/*-Evaluator.log")).read_text()
    assert log == "this is Evaluator on GPU -1\nbaseline_model has files: False\n"


def test_only_a_step_that_asks_for_a_gpu_sees_one(rehearse, write, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    spec, gpu = make_spec(), "nvidia.com/gpu"
    container = spec["deploymentSpec"]["executors"]["Evaluator_executor"]["container"]
    container["resources"] = {
        "accelerator": {"type": gpu, "count": "1", "resourceType": gpu, "resourceCount": "1"}
    }
    rehearsal, _ = rehearse(package=write(spec))
    logs = {log.stem[3:]: log.read_text() for log in rehearsal.folder.glob("logs/*")}
    assert {name for name, log in logs.items() if "on GPU 0" in log} == {"Evaluator"}


def test_only_logs_are_left_unless_more_is_wanted(rehearse):
    rehearsal, _ = rehearse()
    assert {path.name for path in rehearsal.folder.iterdir()} == {"logs"}


def test_artifacts_and_pods_can_be_kept(rehearse):
    rehearsal, _ = rehearse(keep=True, pipeline_root="gs://bucket/root")
    assert len(list((rehearsal.folder / "pods").iterdir())) == len(STEPS)
    stored = rehearsal.folder / "store" / "gcs" / "bucket" / "root" / "tiny"
    assert len(list(stored.glob("*/Evaluator/*/blessing/gates.json"))) == 1


def test_a_step_that_fails_in_the_middle_ends_the_rehearsal(rehearse, listener):
    with pytest.raises(StepError, match=r"^Evaluator ended with exit code 2$") as error:
        rehearse({"where": "Evaluator", "mode": "fail"})
    assert error.value.tail.endswith("something is wrong")
    assert error.value.log_file.name.endswith("-Evaluator.log") and error.value.log_file.exists()
    assert "Pusher" not in listener.started


def test_a_step_that_is_killed_is_told_as_such(rehearse):
    with pytest.raises(StepError, match=r"^Evaluator was ended by signal 9$"):
        rehearse({"where": "Evaluator", "mode": "killed"})


def test_a_gate_that_says_no_is_no_error_of_the_rehearsal(rehearse):
    _, result = rehearse({"where": "Evaluator", "mode": "gate"})
    assert not result.succeeded and not result.pushed_path and not result.already_served
    assert result.message == "Pusher ended with exit code 1: not pushed. accuracy: too low"


def test_a_pusher_that_fails_with_every_gate_passed_is_an_error(rehearse):
    with pytest.raises(StepError, match=r"^Pusher ended with exit code 2"):
        rehearse({"where": "Pusher", "mode": "fail"})


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("null metadata", r"metadata \w+\.nothing: the metadata store takes no null"),
        ("local path", "the pipeline root must begin with"),
        ("unknown field", "colour"),
    ],
)
def test_what_the_backend_refuses_in_an_output_ends_the_rehearsal(rehearse, mode, message):
    with pytest.raises(RunError, match=f"Evaluator: the backend refuses its output: .*{message}"):
        rehearse({"where": "Evaluator", "mode": mode})


def test_a_destination_on_no_volume_is_refused_before_anything_runs(rehearse, listener):
    message = r"push_destination /models is on no volume of BaselineFinder.*kubeflow\.pvcs"
    with pytest.raises(ValueError, match=message):
        rehearse({"push_destination": "/models"})
    assert not listener.started


def test_another_artifact_store_is_refused_before_anything_runs(rehearse):
    with pytest.raises(ValueError, match="hdfs://cluster"):
        rehearse(pipeline_root="hdfs://cluster")


def test_the_command_shows_steps_and_gates_and_where_the_model_is(write, tmp_path, capfd):
    code = rehearse_package(write(), tmp_path / "work", [], "", keep=False, verbose=False)
    shown = capfd.readouterr().out
    assert code == 0
    assert "✓ BaselineFinder" in shown and "at least 0.8 wanted" in shown
    assert f"Pushed to {tmp_path / 'work' / 'pvc/graft/serving/7'}" in shown


def test_the_command_names_the_gate_that_said_no(write, tmp_path, capfd):
    given = ["where=Evaluator", "mode=gate"]
    code = rehearse_package(write(), tmp_path / "work", given, "", keep=False, verbose=False)
    shown = capfd.readouterr().out
    assert code == 1
    assert "✗ Pusher ended with exit code 1: not pushed. accuracy: too low" in shown
    assert "Not pushed." in shown and "Traceback" not in shown


def test_the_command_names_the_step_that_failed_and_shows_the_end_of_its_log(
    write, tmp_path, capfd
):
    given = ["where=Evaluator", "mode=fail"]
    code = rehearse_package(write(), tmp_path / "work", given, "", keep=False, verbose=False)
    shown = capfd.readouterr().out
    assert code == 1
    assert "✗ Evaluator ended with exit code 2" in shown
    assert shown.endswith("baseline_model has files: False\nsomething is wrong\n")


@pytest.mark.slow
def test_a_rehearsal_that_is_ended_ends_its_step(write, tmp_path):
    command = ["rehearse", str(write()), "--work", str(tmp_path), "--param", "mode=sleep"]
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *command, "--param", "where=BaselineFinder"],
        env={**os.environ, "PYTHONPATH": str(Path(pipeline.__file__).parents[1])},
    ) as process:
        try:
            (log,) = wait_for(lambda: list(tmp_path.glob("runs/*/logs/*-BaselineFinder.log")))
            step = int(wait_for(lambda: log.read_text().split()[6:])[0])
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 128 + signal.SIGTERM
        finally:
            process.kill()
    assert wait_for(lambda: not Path(f"/proc/{step}").exists())


def wait_for(condition, within_s: float = 120.0):
    """What `condition` returns, as soon as that is true."""
    end = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    return found


def test_a_parameter_without_value_is_one_clear_error(write, tmp_path):
    with pytest.raises(ValueError, match="--param frozen_epochs: write key=value"):
        rehearse_package(write(), tmp_path, ["frozen_epochs"], "", keep=False, verbose=False)


def test_a_package_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(ValueError, match=r"no package .*missing\.yaml"):
        rehearse_package(tmp_path / "missing.yaml", tmp_path, [], "", keep=False, verbose=False)


def test_the_log_of_an_artifact_store_is_not_an_output(rehearse):
    rehearsal, _ = rehearse(keep=True)
    stored = [path.name for path in (rehearsal.folder / "store").rglob("*")]
    assert "executor-logs" not in stored


def test_the_script_gets_what_a_driver_gives(rehearse):
    """The script asserts on its own input; here it is made sure that it ran."""
    rehearsal, _ = rehearse(keep=True)
    (output,) = rehearsal.folder.glob("pods/*-Pusher/minio/**/output_metadata.json")
    assert json.loads(output.read_text())["artifacts"]["pushed_model"]
