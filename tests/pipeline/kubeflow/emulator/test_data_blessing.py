"""A package whose DataGate says no: its Trainer never begins."""

import copy

import pytest

from pipeline import node_figures
from pipeline.kubeflow.compiler import data_blessing
from pipeline.kubeflow.package.documents import load_package
from pipeline.run_result import RunError

pytestmark = pytest.mark.slow  # each step is a process

# The DataGate's own way to leave its word, which the real DataVerdict takes; nothing is trained.
SCRIPT = """
import json, os, pathlib, sys
from components.gates import Gate, write_gates
from pipeline.kubeflow.step import data_blessing, executor_io
name, given = sys.argv[1], json.loads(sys.argv[2])
root = os.environ["GRAFT_LAUNCHER_ROOT"]
spec = {"artifacts": {}}
local = executor_io.for_tfx(given, spec, root)
output = {}
if name == "DataGate":
    (folder,) = executor_io.output_folders(local)
    os.mkdir(folder)
    verdict = given["inputs"]["parameterValues"]["mode"] or "pass"
    write_gates(folder, [Gate("leakage", verdict, 3, 0, "3 pictures have copies")])
    if verdict != "warn":
        output = data_blessing.hand_on(output, local)
pathlib.Path(local["outputs"]["outputFile"]).write_text(json.dumps(output))
"""


@pytest.fixture
def package(spec, write, monkeypatch):
    """The tiny package with a DataGate and a Trainer before its other gates."""
    monkeypatch.delitem(node_figures._DESCRIBE, "Trainer")  # it leaves nothing to tell of
    tasks, components = spec["root"]["dag"]["tasks"], spec["components"]
    executors = spec["deploymentSpec"]["executors"]
    outputs = {"DataGate": {"data_blessing": "InfraBlessing"}, "Trainer": {}}
    for name, types in outputs.items():
        tasks[name] = copy.deepcopy(tasks["BaselineFinder"])
        tasks[name] |= {"taskInfo": {"name": name}, "componentRef": {"name": name}}
        components[name] = copy.deepcopy(components["BaselineFinder"])
        components[name] |= {
            "executorLabel": f"{name}_executor",
            "outputDefinitions": {
                "artifacts": {
                    key: {"artifactType": {"instanceSchema": f"title: tfx.{title}\ntype: object\n"}}
                    for key, title in types.items()
                }
            },
        }
        executors[f"{name}_executor"] = copy.deepcopy(executors["BaselineFinder_executor"])
        executors[f"{name}_executor"]["container"]["command"] = ["python", "-c", SCRIPT, name]
    data_blessing.add_verdict(spec)
    executors["DataVerdict_executor"]["container"]["image"] = "registry.example.com/graft:1"
    for name in ("Evaluator", "ServingGate"):
        tasks[name].setdefault("dependentTasks", []).append("Trainer")
    return write(spec)


def test_the_trainer_follows_the_word_of_the_data_gate(package):
    steps = {step.name: step for step in load_package(package).steps}
    assert list(steps).index("DataGate") < list(steps).index("Trainer")
    assert steps["DataVerdict"].dependencies == ("DataGate",)
    assert steps["Trainer"].dependencies == ("DataVerdict",)


def test_a_yes_lets_the_trainer_begin(rehearse, package, recorder):
    _, result = rehearse(package=package)
    assert result.succeeded and "Trainer" in recorder.reports
    assert [gate.name for gate in result.gates] == ["leakage", "accuracy", "load", "test split"]


def test_after_a_no_the_trainer_is_not_started(rehearse, package, recorder):
    _, result = rehearse({"mode": "fail"}, package=package)
    assert result.message == (
        "DataVerdict ended with exit code 1: nothing is trained: the data failed the DataGate. "
        "leakage: 3 pictures have copies"
    )
    assert [gate.name for gate in result.gates] == ["leakage"] and not result.succeeded
    assert "DataGate" in recorder.reports and "Trainer" not in recorder.started


def test_a_word_that_was_not_left_is_no_yes(rehearse, package):
    message = "DataGate: the backend refuses its output: output parameter blessed was not written"
    with pytest.raises(RunError, match=message):
        rehearse({"mode": "warn"}, package=package)


def test_a_word_that_nobody_gives_is_found_before_anything_runs(spec, package, write):
    del spec["components"]["DataGate"]["outputDefinitions"]["parameters"]
    message = (
        r"DataVerdict\.inputs\.parameters\.blessed\.taskOutputParameter\."
        "outputParameterKey: there"
    )
    with pytest.raises(ValueError, match=message):
        load_package(write(spec))
