"""A package whose steps take a moment: a script stands in for Graft's entrypoint."""

import copy
from pathlib import Path

import pytest
import yaml

from pipeline.kubeflow.emulator.rehearsal import Rehearsal
from pipeline.kubeflow.package.documents import load_package

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
metrics = {"classes": ["a"], "overall": {"accuracy": 0.5, "example_count": 8}, "served": {},
           "per_class": {}, "confusion": [[1]]}
def write(key, file, content): (local(outputs[key]["artifacts"][0]) / file).write_text(content)
if name == "Evaluator":
    write("blessing", "gates.json", json.dumps([accurate]))
    write("evaluation", "metrics.json", json.dumps(metrics))
    write("blessing", "NOT_BLESSED" if mode == "gate" else "BLESSED", "")
if name == "ServingGate":
    write("infra_blessing", "gates.json", json.dumps([checks]))
if name == "Pusher":
    write("pushed_model", "gates.json", json.dumps([dict(checks, name="test split")]))
    said = written["pushed_model"]["artifacts"][0]["metadata"]
    if (local(inputs["model_blessing"]["artifacts"][0]) / "BLESSED").exists():
        version = pathlib.Path(parameters["push_destination"], "7")
        version.mkdir(parents=True)
        said.update(pushed=1, pushed_version="7", pushed_destination=str(version))
if name == "Verdict" and not inputs["pushed_model"]["artifacts"][0]["metadata"].get("pushed"):
    pathlib.Path(root, "dev/termination-log").write_text("not pushed. accuracy: too low")
    sys.exit(1)
if mode == "local path":
    for entry in written.values(): entry["artifacts"][0]["uri"] = "/minio/somewhere"
if mode == "killed":
    os.kill(os.getpid(), 9)
if mode == "sleep":
    print(os.getpid(), flush=True)
    time.sleep(300)
if mode == "fail once":
    marker = pathlib.Path(parameters["push_destination"], "failed-once")
    if not marker.exists():
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        sys.exit(3)
if mode == "fail":
    print("something is wrong", file=sys.stderr)
    sys.exit(2)
if name == "Verdict":
    sys.exit()  # it is no component of TFX, and leaves nothing
path = pathlib.Path(root + given["outputs"]["outputFile"])
path.write_text(json.dumps({"artifacts": written}))
"""

# Step: input artifacts as (key, producer, its output key), output artifacts with their types.
STEPS = {
    "BaselineFinder": ([], {"baseline": "Model"}),
    "Evaluator": (
        [("baseline_model", "BaselineFinder", "baseline")],
        {
            "evaluation": "ModelEvaluation",
            "blessing": "ModelBlessing",
            "metrics": "system.Metrics",  # the backend's own, which TFX does not know
        },
    ),
    "ServingGate": ([], {"infra_blessing": "InfraBlessing"}),
    "Pusher": (
        [
            ("model_blessing", "Evaluator", "blessing"),
            ("infra_blessing", "ServingGate", "infra_blessing"),
        ],
        {"pushed_model": "PushedModel"},
    ),
    "Verdict": ([("pushed_model", "Pusher", "pushed_model")], {}),
}
PARAMETERS = {"mode": "", "where": "", "push_destination": "/mnt/graft/serving"}


def artifact_type(name: str) -> dict:
    if name.startswith("system."):
        return {"artifactType": {"schemaTitle": name, "schemaVersion": "0.0.1"}}
    return {"artifactType": {"instanceSchema": f"title: tfx.{name}\ntype: object\n"}}


def make_spec() -> dict:
    """A PipelineSpec of five steps."""
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


@pytest.fixture
def write(tmp_path):
    """`write(spec, platform)` writes a package; gives its path."""

    def write(spec=None, platform=None) -> Path:
        path = tmp_path / "package.yaml"
        path.write_text(yaml.safe_dump_all([spec or make_spec(), platform or make_platform()]))
        return path

    return write


@pytest.fixture
def spec() -> dict:
    """The PipelineSpec of that package."""
    return make_spec()


@pytest.fixture
def rehearse(write, tmp_path, recorder):
    """Runs the package; gives the rehearsal and its result."""

    def rehearse(given=None, keep=False, package=None, **options):
        rehearsal = Rehearsal(
            load_package(package or write()), tmp_path / "work", given or {}, **options
        )
        return rehearsal, rehearsal.run(recorder, keep)

    return rehearse
