"""Shared by the tests of packages, of Beam's runners and of served versions."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from components.gates import Gate, write_gates
from components.pusher.push import push
from components.served_versions import served_state

_STEPS = {
    "ImageExampleGen": {
        "source": "digits",
        "settings": "{}",
        "unlabelled": "",
        "input_fingerprint": "",
        "ledger_fingerprint": "",
    },
    "ImportSchemaGen": {"schema_file": ""},
    "Trainer": {},
    "BaselineFinder": {"push_destination": "/mnt/serving/digits", "served_fingerprint": ""},
    "Pusher": {"push_destination": "/mnt/serving/digits"},
}
_NEEDS = {
    "Trainer": {"examples": ("ImageExampleGen", "examples")},
    "Pusher": {"model": ("Trainer", "model")},
}
_GIVES = {"ImageExampleGen": "examples", "ImportSchemaGen": "schema", "Trainer": "model"}


def _artifact(title):
    return {"artifactType": {"instanceSchema": f"title: tfx.{title}\ntype: object\n"}}


@pytest.fixture(scope="session")
def compiled_json() -> str:
    """A PipelineSpec as TFX compiles it, of five steps."""
    tasks, components, executors = {}, {}, {}
    for name, properties in _STEPS.items():
        if name == "Trainer":
            properties = {"custom_config": json.dumps({"settings": "{}", "code_digest": "0"})}
        needs = _NEEDS.get(name, {})
        tasks[name] = {
            "cachingOptions": {"enableCache": True},
            "componentRef": {"name": name},
            "taskInfo": {"name": name},
            "inputs": {
                "parameters": {
                    key: {"runtimeValue": {"constant": value}} for key, value in properties.items()
                }
            },
        }
        inputs = {"parameters": {key: {"parameterType": "STRING"} for key in properties}}
        if needs:
            tasks[name]["dependentTasks"] = [producer for producer, _ in needs.values()]
            tasks[name]["inputs"]["artifacts"] = {
                key: {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": output}}
                for key, (task, output) in needs.items()
            }
            inputs["artifacts"] = {key: _artifact(key.title()) for key in needs}
        components[name] = {"executorLabel": f"{name}_executor", "inputDefinitions": inputs}
        if name in _GIVES:
            key = _GIVES[name]
            components[name]["outputDefinitions"] = {"artifacts": {key: _artifact(key.title())}}
        executors[f"{name}_executor"] = {
            "container": {
                "image": "elsewhere",
                "command": ["python", "-m", "pipeline.kubeflow.step.entrypoint"],
                "args": [
                    "--executor_class_path",
                    "x.Y",
                    "--json_serialized_inputs_spec_args",
                    "{}",
                ],
                "lifecycle": {"preCacheCheck": {"command": ["driver"]}},
            }
        }
    spec = {
        "pipelineInfo": {"name": "digits"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "tfx-1.16.0",
        "root": {"dag": {"tasks": tasks}},
        "components": components,
        "deploymentSpec": {"executors": executors},
    }
    return json.dumps(spec)


@pytest.fixture
def compiled(compiled_json) -> dict:
    """The same, to be changed."""
    return json.loads(compiled_json)


@pytest.fixture(scope="session")
def ingest(tmp_path_factory, write_pictures) -> Callable[[Path, list[str]], dict[str, bytes]]:
    """`ingest(folder, beam_args)` runs ImageExampleGen there and gives the files that it leaves."""
    from tfx.types import standard_artifacts

    from components.example_gen import executor
    from components.example_gen.config import DataSettings

    pictures = write_pictures(tmp_path_factory.mktemp("source") / "pictures", per_class=12)

    def ingest(folder: Path, beam_args: list[str]) -> dict[str, bytes]:
        examples = standard_artifacts.Examples()
        examples.uri = str(folder)
        context = executor.Executor.Context(beam_pipeline_args=beam_args)
        executor.Executor(context).Do(
            input_dict={},
            output_dict={"examples": [examples]},
            # Drawn shapes look alike: too many would be copies of one another.
            exec_properties={
                "source": str(pictures),
                "settings": DataSettings(near_duplicates=False).model_dump_json(),
                "unlabelled": "",
                "input_fingerprint": "",
            },
        )
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    return ingest


@pytest.fixture
def destination(tmp_path):
    """Serves one version of an earlier release, and two that differ in a setting and a finding."""
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(f"name: tiny\nworkspace: {tmp_path}\n")
    destination = tmp_path / "tiny" / "serving"
    model, found = tmp_path / "model", tmp_path / "found"
    for folder in (model, found, destination / "1"):
        folder.mkdir(parents=True)
    (destination / "1" / "saved_model.pb").write_text("graph 1")
    for name, rate in (("2", 0.1), ("3", 0.2)):
        (model / "saved_model.pb").write_text(f"graph {name}")
        facts = {
            "recipe": {"name": "tiny", "rate": rate, "data": {"source": "/pictures"}},
            "versions": {"graft": "1.0"},
            "git": {"revision": "abc", "dirty": True},
        }
        (found / "provenance.json").write_text(json.dumps(facts))
        if name == "3":
            learnt = {"temperature": 1.5, "pictures": 400, "label_sets": None}
            learnt["abstention"] = {"sure": 300, "proved": 0.9901}
            (found / "calibration.json").write_text(json.dumps(learnt))
        write_gates(found, [Gate("accuracy", "pass", 0.9 + rate / 10, 0.8, f"{rate} of all")])
        push(model, destination, served_state(destination), [found])
    return destination


@pytest.fixture
def graft(tmp_path, destination, capfd):
    """Calls a function of the command with the recipe; gives what it printed."""

    def graft(command, *arguments):
        command(str(tmp_path / "tiny.yaml"), [], *arguments)
        return capfd.readouterr().out

    return graft
