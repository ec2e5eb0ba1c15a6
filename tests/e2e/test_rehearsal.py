"""A compiled package, run under the rules of a Kubeflow Pipelines backend."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.dsl.components.common import resolver
from tfx.dsl.input_resolution.strategies import latest_artifact_strategy
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import Channel, standard_artifacts

from components import served_versions
from pipeline.commands.rehearse import rehearse_package
from pipeline.config import Recipe
from pipeline.kubeflow.compiler.compile_package import compile_package
from pipeline.kubeflow.emulator import pod
from pipeline.kubeflow.emulator.rehearsal import Rehearsal
from pipeline.kubeflow.package.documents import load_package

STOCK = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
CLAIM = "graft"


@pytest.fixture(scope="module")
def package(recipe, tmp_path_factory) -> Path:
    """The recipe for a cluster, with a default of its own that a run changes back."""
    frozen = recipe.training.frozen.model_copy(update={"epochs": 1})
    values = recipe.model_dump(exclude_unset=True)
    values["training"]["frozen"] = frozen.model_dump(exclude_unset=True)
    values["kubeflow"] = {
        "image": "registry.example.com/graft:1",
        "pvcs": {CLAIM: "/mnt/graft"},
        "push_destination": "/mnt/graft/serving",
        "env": {"HOME": "/tmp"},
        "training_state": "/mnt/graft/state",
        "steps": {"Trainer": {"retries": 1}},
    }
    path = tmp_path_factory.mktemp("package") / "shapes.yaml"
    path.write_text(compile_package(Recipe.model_validate(values)), encoding="utf-8")
    return path


@pytest.fixture
def edited(package, tmp_path):
    """`edited(change)` writes a changed copy of the package; `change` gets its PipelineSpec."""

    def edited(change) -> Path:
        spec, platform = yaml.safe_load_all(package.read_text(encoding="utf-8"))
        change(spec)
        path = tmp_path / "edited.yaml"
        path.write_text(yaml.safe_dump_all([spec, platform]), encoding="utf-8")
        return path

    return edited


@pytest.fixture(autouse=True)
def start_pod(forked, monkeypatch):
    """Each pod is forked; `start_pod(Popen)` has another class start them."""

    def start(popen: type) -> None:
        monkeypatch.setattr(
            pod, "subprocess", SimpleNamespace(**vars(subprocess) | {"Popen": popen})
        )

    start(forked.Popen)
    return start


@pytest.fixture
def dying(tmp_path, forked, start_pod):
    """Kills the first Trainer after an epoch; gives the names of the states that Trainers used."""
    states, killed = set(), []

    class Dying(forked.Popen):
        def wait(self, timeout=None):
            trains = any("Trainer" in word or "trainer" in word for word in self.args[:8])
            while trains and self.poll() is None:
                found = list((tmp_path / "work" / "pvc" / CLAIM).glob("state/*/.state-*/*.npz"))
                states.update(path.parent.name for path in found)
                if found and not killed:
                    killed.append(self.pid)
                    os.killpg(self.pid, signal.SIGKILL)
                time.sleep(0.05)
            return super().wait(timeout)

    start_pod(Dying)
    return states


def test_it_ends_as_the_local_run_does_though_its_trainer_dies_once(
    package, recipe, recorder, first, pushed, tmp_path, dying
):
    """The served model is that of the local run: it is found as baseline, and made again."""
    serving = tmp_path / "work" / "pvc" / CLAIM / "serving"
    shutil.copytree(pushed, serving / pushed.name)
    epochs = {"frozen_epochs": recipe.training.frozen.epochs}
    rehearsal = Rehearsal(load_package(package), tmp_path / "work", epochs)
    result = rehearsal.run(recorder, keep=True)

    assert recorder.notices == [
        "Trainer was ended by signal 9. Retry 1 of 1, at once; in a cluster after 60 s"
    ]
    assert len(dying) == 1, "the second goes on from the state of the first"
    summaries = {step: report.summary for step, report in recorder.reports.items()}
    assert summaries["BaselineFinder"] == f"to compare with: version {pushed.name}"
    for step in ("ImageExampleGen", "ExampleValidator", "Trainer", "Evaluator"):
        assert summaries[step] == first.reports[step].summary, step
    assert result.succeeded
    gates = {gate.name: gate for gate in result.gates}
    assert set(gates) == {gate.name for gate in first.result.gates} | {"not proved worse, by class"}
    (accuracy,) = [gate for gate in first.result.gates if gate.name == "accuracy"]
    assert gates["accuracy"] == accuracy
    assert gates["not proved worse"].value == 0.0
    assert bool(result.pushed_path) != bool(result.already_served)
    assert rehearsal.destination == serving
    assert served_versions.champion(serving).name == (
        result.already_served or Path(result.pushed_path).name
    )
    look_at_pages(rehearsal)


def look_at_pages(rehearsal: Rehearsal) -> None:
    """Reads the outputs of Report as the backend's own pages do (MetricsVisualizations.tsx)."""
    outputs = {key: made for (step, key), made in rehearsal._known.items() if step == "Report"}
    page = rehearsal._store.path(outputs["page"]["uri"]).read_text()
    assert page.startswith("<!doctype html>") and "o gate said no" in page
    assert page.count("data:image/") > 10 and "could not be made" not in page
    for key in ("metrics", "class_metrics"):
        values = {k: v for k, v in outputs[key]["metadata"].items() if k != "display_name"}
        assert len([v for v in values.values() if isinstance(v, float)]) >= 6
    shown = outputs["classification"]["metadata"]
    matrix = shown["confusionMatrix"]["struct"]
    labels = [annotation["displayName"] for annotation in matrix["annotationSpecs"]]
    assert sorted(labels) == ["bar", "disc", "frame"]
    assert [len(row["row"]) for row in matrix["rows"]] == [3, 3, 3]
    for point in shown["confidenceMetrics"]["list"]:
        names = {"confidenceThreshold", "falsePositiveRate", "recall"}
        assert set(point) == names and all(0 <= point[name] <= 1 for name in names)


def test_tfx_alone_fails_in_its_first_step(edited, tmp_path, capfd):
    def change(spec):
        for executor in spec["deploymentSpec"]["executors"].values():
            executor["container"]["command"] = ["python", "-m", STOCK]

    code = rehearse_package(edited(change), tmp_path, [], "", keep=False, verbose=False)
    shown = capfd.readouterr().out
    assert code == 1
    assert "✗ ImportSchemaGen ended with exit code 1" in shown
    assert "system.Artifact" in shown, "the type that TFX does not know"


def test_spec_2_0_is_refused(edited, tmp_path):
    path = edited(lambda spec: spec.update(schemaVersion="2.0.0"))
    with pytest.raises(ValueError, match=r"2\.1\.0.*2\.0\.0"):
        rehearse_package(path, tmp_path, [], "", keep=False, verbose=False)


def test_a_resolver_is_refused(tmp_path):
    latest = resolver.Resolver(
        strategy_class=latest_artifact_strategy.LatestArtifactStrategy,
        examples=Channel(type=standard_artifacts.Examples),
    ).with_id("Latest")
    pipeline = Pipeline(
        pipeline_name="tiny",
        pipeline_root="",
        components=[latest, StatisticsGen(examples=latest.outputs["examples"])],
    )
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
        default_image="registry.example.com/graft:1", use_pipeline_spec_2_1=True
    )
    job = kubeflow_v2_dag_runner.KubeflowV2DagRunner(config).run(pipeline, write_out=False)
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(job["pipelineSpec"]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"Latest.*resolver"):
        rehearse_package(path, tmp_path, [], "", keep=False, verbose=False)
