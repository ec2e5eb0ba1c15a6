"""What a second rehearsal takes from the first, as the backend's cache would.

The package is a whole compiled recipe, and its Probe the real one; a script that leaves a few bytes
stands in for every other step.
"""

import shutil

import pytest
import yaml

from pipeline.config import load_recipe
from pipeline.kubeflow.compiler.compile_package import compile_package
from pipeline.kubeflow.emulator import rehearsal
from pipeline.kubeflow.package.documents import parse_package

# Leaves outputs without content; a Trainer's model is new each time, and is pushed if it is not
# served already.
SCRIPT = """
import json, os, pathlib, sys, uuid
name, given = sys.argv[1], json.loads(sys.argv[2])
root = os.environ["GRAFT_LAUNCHER_ROOT"]
def local(artifact):
    return pathlib.Path(root, artifact["uri"].replace("minio://", "minio/"))
written = {}
for key, entry in given["outputs"]["artifacts"].items():
    if key == "executor-logs":
        continue
    (artifact,) = entry["artifacts"]
    if artifact.pop("type").get("schemaTitle", "").startswith("system."):
        local(artifact).write_text("a page")
        continue
    local(artifact).mkdir()
    (local(artifact) / "gates.json").write_text("[]")  # as every step that may say no leaves them
    written[key] = {"artifacts": [artifact]}
if name == "Trainer":
    (local(given["outputs"]["artifacts"]["model"]["artifacts"][0]) / "saved_model.pb").write_text(
        uuid.uuid4().hex)
if name == "Pusher":
    model = local(given["inputs"]["artifacts"]["model"]["artifacts"][0]) / "saved_model.pb"
    serving = pathlib.Path(given["inputs"]["parameterValues"]["push_destination"])
    served = {v.parent.name: v.read_text() for v in serving.glob("*/saved_model.pb")}
    same = [v for v in served if served[v] == model.read_text()]
    said = written["pushed_model"]["artifacts"][0].setdefault("metadata", {})
    if same:
        said["already_served"] = same[0]
    else:
        version = serving / str(len(served) + 1)
        version.mkdir(parents=True)
        (version / "saved_model.pb").write_text(model.read_text())
        said["pushed_destination"] = str(version)
if name == "Verdict":
    assert given["inputs"]["parameterValues"] == {"pushed": "said"}
values = {key: "said" for key in given["outputs"].get("parameters", {})}
path = pathlib.Path(root + given["outputs"]["outputFile"])
path.write_text(json.dumps({"artifacts": written, "parameterValues": values}))
"""


@pytest.fixture(scope="module")
def documents():
    """A compiled recipe."""
    overrides = [
        "kubeflow.image=registry.example.com/graft:1",
        "kubeflow.env={HOME: /tmp}",
        "kubeflow.pvcs.graft=/mnt/graft",
        "kubeflow.data_source=/mnt/graft/pictures",
        "kubeflow.push_destination=/mnt/graft/serving",
    ]
    spec, platform = yaml.safe_load_all(compile_package(load_recipe("digits", overrides)))
    for label, executor in spec["deploymentSpec"]["executors"].items():
        name = label.removesuffix("_executor")
        if name != "Probe":
            executor["container"] = {
                "image": executor["container"]["image"],
                "command": ["python", "-c", SCRIPT, name],
                "args": ["{{$}}"],
            }
    return spec, platform


@pytest.fixture
def package(documents):
    return parse_package(yaml.safe_dump_all(documents))


@pytest.fixture
def rehearse(package, tmp_path, new_recorder, monkeypatch):
    """Runs the package; gives the names of the steps that ran, and the result."""
    monkeypatch.setattr(rehearsal, "summarize", lambda *_: "")
    for name in ("cat", "dog"):
        folder = tmp_path / "pvc" / "graft" / "pictures" / name
        folder.mkdir(parents=True)
        (folder / "1.jpg").write_bytes(b"a picture")

    def rehearse(of=package, keep=True, **options):
        recorder = new_recorder()
        result = rehearsal.Rehearsal(of, tmp_path, {}, **options).run(recorder, keep)
        assert len(recorder.reports) == len(of.steps)
        return {name for name, report in recorder.reports.items() if not report.cached}, result

    return rehearse


def below(package, *names):
    """The steps that get something made by these, and the steps themselves."""
    found, tasks = set(names), package.spec["root"]["dag"]["tasks"]
    for step in package.steps:  # in an order in which they can run
        inputs = tasks[step.name]["inputs"].get("artifacts", {}).values()
        if found & {source["taskOutputArtifact"]["producerTask"] for source in inputs}:
            found.add(step.name)
    return found


@pytest.mark.slow
def test_what_runs_again(package, rehearse, tmp_path):
    everything = {step.name for step in package.steps}
    always = {"Probe", "Verdict"} | below(package, "ServingGate")
    assert always == {"Probe", "ServingGate", "Pusher", "Report", "Verdict"}

    rehearse(keep=False)
    shutil.rmtree(tmp_path / "pvc" / "graft" / "serving")

    executed, result = rehearse()  # of what was not kept nothing is found
    assert executed == everything and result.pushed_path.endswith("serving/1")

    # What depends on what is served, and no more.
    executed, result = rehearse(order=3)
    assert executed == always | below(package, "BaselineFinder")
    assert len(executed) <= 8 and not {"Trainer", "ImageExampleGen"} & executed
    assert result.already_served == "1"

    executed, _ = rehearse()
    assert executed == always and len(executed) <= 5

    (tmp_path / "pvc" / "graft" / "pictures" / "cat" / "2.jpg").write_bytes(b"another")
    executed, result = rehearse()
    assert executed == always | below(package, "ImageExampleGen")
    assert {"Trainer", "StatisticsGen"} < executed
    assert not {"BaselineFinder", "ImportSchemaGen"} & executed
    assert result.pushed_path.endswith("serving/2")

    assert rehearse(use_cache=False, keep=False)[0] == everything

    shutil.rmtree(tmp_path / "store")  # for its room
    assert rehearse()[0] == everything
