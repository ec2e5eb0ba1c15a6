"""The rehearsal, with steps that take a moment."""

import json
import time
from pathlib import Path

import pytest
import yaml

from pipeline.kubeflow.emulator.order import shuffled
from pipeline.kubeflow.emulator.rehearsal import Rehearsal, StepError
from pipeline.kubeflow.package.documents import load_package
from pipeline.run_result import RunError

pytestmark = pytest.mark.slow  # each step is a process

STEPS = {"BaselineFinder", "Evaluator", "ServingGate", "Pusher", "Verdict"}


def test_the_steps_run_in_order_and_the_model_lands_on_the_claim(rehearse, recorder, tmp_path):
    begun = time.monotonic()
    rehearsal, result = rehearse()
    assert sum(report.seconds for report in recorder.reports.values()) < time.monotonic() - begun
    assert sorted(recorder.started) == sorted(STEPS) and recorder.started[-1] == "Verdict"
    assert recorder.started.index("BaselineFinder") < recorder.started.index("Evaluator")
    assert result.succeeded and not result.message
    assert [gate.name for gate in result.gates] == ["accuracy", "load", "test split"]
    assert [gate.node for gate in result.gates] == ["Evaluator", "ServingGate", "Pusher"]
    assert result.pushed_path == str(tmp_path / "work" / "pvc" / "graft" / "serving" / "7")
    assert Path(result.pushed_path).is_dir()
    assert rehearsal.destination == Path(result.pushed_path).parent
    assert recorder.reports["Pusher"].summary == "version 7"
    assert 0 < recorder.reports["Pusher"].seconds < 600 and not recorder.reports["Pusher"].cached
    assert recorder.reports["Evaluator"].summary == "test accuracy 0.5000 of 8 pictures"
    logs = sorted(path.stem for path in rehearsal.folder.glob("logs/*.log"))
    assert logs == [f"{n:02d}-{name}" for n, name in enumerate(recorder.started, start=1)]
    log = next(rehearsal.folder.glob("logs/*-Evaluator.log")).read_text()
    assert log == "this is Evaluator on GPU -1\nbaseline_model has files: False\n"


def test_only_a_step_that_asks_for_a_gpu_sees_one(rehearse, write, monkeypatch, spec):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    gpu = "nvidia.com/gpu"
    for executor in spec["deploymentSpec"]["executors"].values():
        executor["container"]["resources"] = {
            "resourceCpuLimit": "2",
            "resourceMemoryLimit": "2Gi",
        }
    evaluator = spec["deploymentSpec"]["executors"]["Evaluator_executor"]["container"]
    evaluator["resources"]["accelerator"] = {
        "type": gpu,
        "count": "1",
        "resourceType": gpu,
        "resourceCount": "1",
    }
    # Nor does one whose environment says so, and which a cluster would give none.
    of_gate = spec["deploymentSpec"]["executors"]["ServingGate_executor"]["container"]
    of_gate["env"] = [{"name": "CUDA_VISIBLE_DEVICES", "value": "0"}]
    rehearsal, _ = rehearse(package=write(spec))
    logs = {log.stem[3:]: log.read_text() for log in rehearsal.folder.glob("logs/*")}
    assert {name for name, log in logs.items() if "on GPU 0" in log} == {"Evaluator"}


def test_only_logs_are_left_unless_more_is_wanted(rehearse):
    rehearsal, _ = rehearse()
    assert {path.name for path in rehearsal.folder.iterdir()} == {"logs"}
    work = rehearsal.folder.parents[1]
    assert not [path for path in (work / "store").rglob("*") if path.is_file()]


def test_artifacts_and_pods_can_be_kept(rehearse, tmp_path):
    rehearsal, _ = rehearse(keep=True, pipeline_root="gs://bucket/root")
    assert len(list((rehearsal.folder / "pods").iterdir())) == len(STEPS)
    stored = tmp_path / "work" / "store" / "gcs" / "bucket" / "root" / "tiny"
    assert len(list(stored.glob("*/Evaluator/*/blessing/gates.json"))) == 1
    names = {path.name for path in (tmp_path / "work" / "store").rglob("*")}
    assert "blessing" in names and "executor-logs" not in names, "the backend's log is no output"
    # The script asserts on its own input; here it is made sure that it ran.
    (output,) = rehearsal.folder.glob("pods/*-Pusher/gcs/**/output_metadata.json")
    assert json.loads(output.read_text())["artifacts"]["pushed_model"]


def test_a_step_that_fails_in_the_middle_ends_the_rehearsal(rehearse, recorder):
    with pytest.raises(StepError, match=r"^Evaluator ended with exit code 2$") as error:
        rehearse({"where": "Evaluator", "mode": "fail"})
    assert error.value.tail.endswith("something is wrong")
    assert error.value.log_file.name.endswith("-Evaluator.log") and error.value.log_file.exists()
    assert "Pusher" not in recorder.started


def retried(spec, step="Evaluator", **policy):
    spec["root"]["dag"]["tasks"][step]["retryPolicy"] = {
        "maxRetryCount": 2,
        "backoffDuration": "60s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "2592000s",
        **policy,
    }
    return spec


def test_a_step_that_fails_once_is_retried_in_a_pod_of_its_own(rehearse, write, spec, recorder):
    rehearsal, result = rehearse(
        {"where": "Evaluator", "mode": "fail once"}, keep=True, package=write(retried(spec))
    )
    assert result.succeeded
    assert recorder.notices == [
        "Evaluator ended with exit code 3. Retry 1 of 2, at once; in a cluster after 60 s"
    ]
    logs = sorted(path.stem for path in rehearsal.folder.glob("logs/*Evaluator*"))
    pods = sorted(rehearsal.folder.glob("pods/*Evaluator*"))
    assert logs == [pods[0].name, f"{pods[0].name}-2"]
    assert pods[1].name == f"{pods[0].name}-failed-1"
    places = [{p.relative_to(pod) for p in pod.rglob("evaluation")} for pod in pods]
    assert places[0] == places[1] != set(), "a retry is handed what the first attempt was"


def test_a_step_that_always_fails_ends_the_rehearsal_after_its_retries(
    rehearse, write, spec, recorder
):
    with pytest.raises(StepError, match="Evaluator ended with exit code 2"):
        rehearse({"where": "Evaluator", "mode": "fail"}, package=write(retried(spec)))
    assert [notice[-4:] for notice in recorder.notices] == ["60 s", "20 s"]


def test_no_retry_is_started_after_the_longest_time(rehearse, write, spec, recorder):
    with pytest.raises(StepError):
        rehearse(
            {"where": "Evaluator", "mode": "fail"},
            package=write(retried(spec, backoffMaxDuration="90s")),
        )
    assert len(recorder.notices) == 1


def test_another_order_is_one_in_which_the_steps_can_run(rehearse, new_recorder, write, tmp_path):
    package = load_package(write())
    orders = {tuple(step.name for step in shuffled(package.steps, seed)) for seed in range(20)}
    assert len(orders) == 3, "the ServingGate before, between or after the other two"
    for order in orders:
        assert sorted(order) == sorted(STEPS) and order[-2:] == ("Pusher", "Verdict")
        assert order.index("BaselineFinder") < order.index("Evaluator")
    recorder = new_recorder()
    Rehearsal(package, tmp_path / "work", {}, order=0).run(recorder)
    assert recorder.started == [step.name for step in shuffled(package.steps, 0)]
    assert recorder.started != [step.name for step in package.steps]
    assert recorder.node_ids == recorder.started, "as it was announced"


def test_a_step_that_is_killed_is_told_as_such(rehearse):
    with pytest.raises(StepError, match=r"^Evaluator was ended by signal 9$"):
        rehearse({"where": "Evaluator", "mode": "killed"})


def test_a_gate_that_says_no_is_no_error_of_the_rehearsal(rehearse):
    _, result = rehearse({"where": "Evaluator", "mode": "gate"})
    assert not result.succeeded and not result.pushed_path and not result.already_served
    assert result.message == "Verdict ended with exit code 1: not pushed. accuracy: too low"


@pytest.mark.parametrize("step", ["Pusher", "Verdict"])
def test_a_step_that_fails_with_every_gate_passed_is_an_error(step, rehearse):
    with pytest.raises(StepError, match=rf"^{step} ended with exit code 2"):
        rehearse({"where": step, "mode": "fail"})


def test_a_step_has_the_time_that_its_package_gives_it(rehearse, write):
    spec, platform = yaml.safe_load_all(write().read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    executors["BaselineFinder_executor"]["activeDeadlineSeconds"] = 1
    with pytest.raises(StepError, match=r"^BaselineFinder was ended by signal 15$") as error:
        rehearse({"where": "BaselineFinder", "mode": "sleep"}, package=write(spec, platform))
    assert error.value.tail.endswith("ended after 1 s: its deadline")


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


def test_a_destination_on_no_volume_is_refused_before_anything_runs(rehearse, recorder):
    message = r"push_destination /models is on no volume of BaselineFinder.*kubeflow\.pvcs"
    with pytest.raises(ValueError, match=message):
        rehearse({"push_destination": "/models"})
    assert not recorder.started


def test_a_volume_of_the_baseline_finder_is_none_of_the_pusher(write, tmp_path):
    spec, platform = yaml.safe_load_all(write().read_text())
    del platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["Pusher_executor"]
    with pytest.raises(ValueError, match=r"/mnt/graft/serving is on no volume of Pusher:"):
        Rehearsal(load_package(write(spec, platform)), tmp_path, {})


def test_another_artifact_store_is_refused_before_anything_runs(rehearse, recorder, tmp_path):
    with pytest.raises(ValueError, match="artifact store of hdfs://cluster: the pipeline root"):
        rehearse(pipeline_root="hdfs://cluster")
    assert not recorder.started and not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("of_package", "asked", "root"),
    [
        ("", "", "minio://mlpipeline/v2/artifacts/tiny/"),
        ("gs://of-package/", "", "gs://of-package/tiny/"),
        ("gs://of-package", "s3://asked", "s3://asked/tiny/"),
    ],
)
def test_artifacts_go_where_the_run_the_package_or_the_backend_says(
    of_package, asked, root, write, spec, tmp_path
):
    spec["defaultPipelineRoot"] = of_package
    package = load_package(write(spec))
    runs = [Rehearsal(package, tmp_path / "work", {}, asked)._run_root for _ in range(2)]
    assert all(run.startswith(root) for run in runs) and runs[0] != runs[1]


def test_a_bucket_is_a_destination_as_it_is(write, tmp_path):
    package = load_package(write())
    given = {"push_destination": "s3://models/digits"}
    assert Rehearsal(package, tmp_path, given).destination == "s3://models/digits"


@pytest.mark.parametrize("given", [{}, {"push_destination": "s3://models/digits"}])
def test_a_package_that_pushes_nothing_is_none_of_grafts(given, write, spec, tmp_path):
    for name in ("Pusher", "Verdict"):
        del spec["root"]["dag"]["tasks"][name]
    mount = {"constant": "graft", "mountPath": "/mnt/graft"}
    mount["pvcNameParameter"] = {"runtimeValue": {"constant": "graft"}}
    executors = {"BaselineFinder_executor": {"pvcMount": [mount]}}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    package = load_package(write(spec, platform))
    with pytest.raises(ValueError, match="is no package of `graft compile`"):
        Rehearsal(package, tmp_path, given)


def test_a_package_of_which_no_run_says_where_to_push_is_none_of_grafts(write, spec, tmp_path):
    del spec["root"]["inputDefinitions"]["parameters"]["push_destination"]
    for task in spec["root"]["dag"]["tasks"].values():
        del task["inputs"]["parameters"]["push_destination"]
    with pytest.raises(ValueError, match="is no package of `graft compile`"):
        Rehearsal(load_package(write(spec)), tmp_path, {})
