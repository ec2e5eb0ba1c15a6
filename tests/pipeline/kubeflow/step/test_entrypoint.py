"""The container's command, with the Pusher and the BaselineFinder as its steps."""

import argparse
import copy
import json
import sys
from pathlib import Path

import pytest

from components import served_versions
from components.errors import UserError
from components.gates import Gate, write_gates
from pipeline.kubeflow.package import report_outputs
from pipeline.kubeflow.package.artifact_paths import ROOT_VARIABLE
from pipeline.kubeflow.step import entrypoint

ROOT = "minio://mlpipeline/v2/artifacts/tiny/run-1"
INPUTS = {
    "model": "Model",
    "model_blessing": "ModelBlessing",
    "infra_blessing": "InfraBlessing",
    "data_blessing": "InfraBlessing",
    "baseline": "Model",
}
PUSHER = "components.pusher.executor.Executor"
BASELINE_FINDER = "components.baseline_finder.executor.Executor"


def artifact_type(name: str) -> dict:
    return {"instanceSchema": f"title: tfx.{name}\ntype: object\n"}


SPEC = {
    "artifacts": {key: {"artifactType": artifact_type(name)} for key, name in INPUTS.items()},
    "parameters": {"push_destination": {"parameterType": "STRING"}},
}


@pytest.fixture
def pod(tmp_path, monkeypatch):
    """The folder that stands for the container's file system."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "pod"))
    (tmp_path / "pod" / "dev").mkdir(parents=True)
    (tmp_path / "pod" / "dev" / "termination-log").touch()
    return tmp_path / "pod"


@pytest.fixture
def executor_input(pod, tmp_path):
    """What the driver hands a Pusher, and on disk what the launcher has downloaded for it."""
    artifacts = {
        key: {"name": key, "uri": f"{ROOT}/{key}", "type": {"instanceSchema": ""}} for key in INPUTS
    }
    for key in INPUTS:
        (pod / "minio" / artifacts[key]["uri"].removeprefix("minio://")).mkdir(parents=True)
    local = pod / "minio" / ROOT.removeprefix("minio://")
    (local / "model" / "Format-Serving").mkdir()
    (local / "model" / "Format-Serving" / "saved_model.pb").write_text("a network")
    accuracy = Gate("accuracy", "pass", 0.9, 0.8, "0.9000, at least 0.8 wanted")
    write_gates(local / "model_blessing", [accuracy])
    latency = Gate("latency", "pass", 9.0, 100.0, "9 ms, at most 100 allowed")
    write_gates(local / "infra_blessing", [latency])
    write_gates(local / "data_blessing", [Gate("leakage", "pass", 0, 0, "no copies")])
    for key in ("model_blessing", "infra_blessing", "data_blessing"):
        artifacts[key]["metadata"] = {"blessed": 1.0, "display_name": key}
    artifacts["model_blessing"]["metadata"]["test_split"] = "0" * 64
    artifacts["baseline"]["metadata"] = {"has_baseline": 0.0, "highest_version": "0"}
    parameters = {
        "push_destination": str(tmp_path / "serving"),
        "signing_key": "",
        "allow_taken_back": 0,
        "provenance": "{}",
        "most_candidates": "20",
        "served_fingerprint": "",
        "code_digest": "",
    }
    return {
        "inputs": {
            "parameterValues": parameters,
            "artifacts": {key: {"artifacts": [artifact]} for key, artifact in artifacts.items()},
        },
        "outputs": {
            "artifacts": {
                "pushed_model": {
                    "artifacts": [
                        {
                            "uri": f"{ROOT}/Pusher/2/pushed_model",
                            "type": artifact_type("PushedModel"),
                        }
                    ]
                },
                "executor-logs": {
                    "artifacts": [
                        {
                            "uri": f"{ROOT}/Pusher/2/executor-logs-0",
                            "type": {"schemaTitle": "system.Artifact"},
                        }
                    ]
                },
            },
            "outputFile": f"/minio/{ROOT.removeprefix('minio://')}/Pusher/2/output_metadata.json",
        },
    }


@pytest.fixture
def run(pod, executor_input, capfd):
    """Runs the entrypoint; gives its exit code, its output and its log."""

    def run(executor: str = PUSHER, spec=SPEC):
        code = entrypoint.main(
            [
                *("--executor_class_path", executor),
                *("--json_serialized_invocation_args", json.dumps(executor_input)),
                *("--json_serialized_inputs_spec_args", json.dumps(spec)),
                "--direct_num_workers=1",
                "--environment_digest=0",
            ]
        )
        file = pod / executor_input["outputs"]["outputFile"].lstrip("/")
        return code, json.loads(file.read_text()) if file.exists() else {}, capfd.readouterr().err

    return run


def said_no(pod, executor_input):
    """Makes the accuracy gate say no."""
    folder = pod / "minio" / ROOT.removeprefix("minio://") / "model_blessing"
    gate = Gate("accuracy", "fail", 0.5, 0.8, "0.5000, at least 0.8 wanted")
    write_gates(folder, [gate])
    (blessing,) = executor_input["inputs"]["artifacts"]["model_blessing"]["artifacts"]
    blessing["metadata"]["blessed"] = 0.0


def message(pod) -> str:
    return (pod / "dev" / "termination-log").read_text()


def test_a_blessed_model_is_pushed_and_the_output_has_the_stores_uri(run, pod, tmp_path):
    code, output, _ = run()
    assert code == 0 and not message(pod)
    (pushed,) = output["artifacts"]["pushed_model"]["artifacts"]
    assert pushed["uri"] == f"{ROOT}/Pusher/2/pushed_model"
    assert pushed["metadata"]["pushed"] == 1
    assert None not in pushed["metadata"].values()
    version = tmp_path / "serving" / "1"
    assert (version / "saved_model.pb").read_text() == "a network"
    folder = pod / "minio" / ROOT.removeprefix("minio://") / "Pusher" / "2"
    assert (folder / "pushed_model").is_dir(), "the launcher makes its parent only"
    assert not (folder / "executor-logs-0").exists()


def test_a_pusher_that_is_told_no_ends_well_and_hands_the_gate_on(
    run, pod, executor_input, tmp_path
):
    said_no(pod, executor_input)
    code, output, log = run()
    assert code == 0 and not message(pod) and "Traceback" not in log
    wanted = "not pushed, what is served is as it was. accuracy: 0.5000, at least 0.8 wanted"
    assert output["parameterValues"] == {"pushed": wanted}
    assert served_versions.list_versions(tmp_path / "serving") == []


def test_the_model_that_is_served_already_is_no_failure(run, pod, tmp_path):
    """Nor is a folder that is there, as some orchestrators make it."""
    run()
    code, output, _ = run()
    assert code == 0 and not message(pod)
    (pushed,) = output["artifacts"]["pushed_model"]["artifacts"]
    assert pushed["metadata"]["already_served"] == "1"
    assert output["parameterValues"] == {"pushed": "yes"}


def test_a_users_mistake_is_one_line_without_traceback(run, pod, tmp_path):
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "champion").write_text("17")
    code, _, log = run()
    assert code == 1 and "Traceback" not in log
    assert log.splitlines()[-1].startswith("graft: ") and "remove it" in message(pod)


@pytest.fixture
def fail(run, monkeypatch):
    """`fail(text)`: a step that ends with this mistake; gives what `run` does."""

    def fail(text):
        def stop(*_):
            raise UserError(text)

        monkeypatch.setattr(entrypoint, "_run", stop)
        return run()

    return fail


def test_several_mistakes_are_one_line(fail, pod):
    code, _, log = fail("seed: is wrong\nname: is wrong")
    assert code == 1 and message(pod) == "seed: is wrong; name: is wrong"
    assert log.splitlines()[-1] == f"graft: {message(pod)}"


def test_a_failure_inside_a_library_keeps_its_traceback(run, pod):
    code, _, log = run(executor="components.pusher.executor.Missing")
    assert code == 1 and "Traceback" in log
    assert log.splitlines()[-1] == f"graft: {message(pod)}"
    assert "Missing" in message(pod)


def test_an_artifact_store_without_local_folder_is_one_line(run, pod, executor_input):
    executor_input["outputs"]["artifacts"]["pushed_model"]["artifacts"][0]["uri"] = "hdfs://x/y"
    code, _, log = run()
    assert code == 1 and "Traceback" not in log
    assert "hdfs://x/y" in message(pod)


def test_the_message_is_the_last_line_where_both_streams_are_one(tmp_path, monkeypatch):
    log = tmp_path / "log"
    with log.open("a") as out, log.open("a", buffering=1) as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        print("what the step said before")
        entrypoint.leave_message("no", str(tmp_path))
        assert log.read_text() == "what the step said before\ngraft: no\n"


def test_without_a_termination_log_the_last_line_is_enough(fail, pod):
    (pod / "dev" / "termination-log").unlink()
    code, _, log = fail("seed: is wrong")
    assert code == 1 and "seed" in log.splitlines()[-1]
    assert not (pod / "dev" / "termination-log").exists()


def test_beam_hears_of_its_own_options_only(run, monkeypatch):
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    heard = []
    monkeypatch.setattr(
        kubeflow_v2_run_executor, "_run_executor", lambda _, options: heard.append(options)
    )
    run()
    assert heard == [["--direct_num_workers=1"]]


def test_a_training_that_is_over_says_what_with_and_leaves_no_state_on_the_claim(
    run, pod, executor_input, tmp_path, monkeypatch
):
    """The Trainer's own part is played by a stub: its state, and the mark that it has exported."""
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    from components.trainer.fitting import resume

    state = tmp_path / "claim" / ".state-1"
    state.mkdir(parents=True)
    monkeypatch.setenv(resume.FOLDER_VARIABLE, str(state.parent))
    uri = f"{ROOT}/Trainer/2/model_run"
    model_run = {"uri": uri, "type": artifact_type("ModelRun")}
    executor_input["outputs"]["artifacts"] = {"model_run": {"artifacts": [model_run]}}

    def train(args, _):
        given = json.loads(args.json_serialized_invocation_args)["outputs"]
        (local,) = given["artifacts"]["model_run"]["artifacts"]
        resume.mark_exported(state, local["uri"])
        Path(given["outputFile"]).parent.mkdir(parents=True)
        Path(given["outputFile"]).write_text("{}")

    monkeypatch.setattr(kubeflow_v2_run_executor, "_run_executor", train)
    code, output, _ = run()
    assert code == 0 and not state.exists()
    made_with = json.loads(output["parameterValues"]["machine"])
    assert made_with.keys() == {"code", "libraries", "versions", "processor"}


def test_kubernetes_keeps_4096_bytes_of_a_message(fail, pod):
    fail("seed: " + "€" * 5000)
    kept = (pod / "dev" / "termination-log").read_bytes()
    assert 4096 - 4 < len(kept) <= 4096
    begin, _, rest = kept.decode().partition(" ")
    assert begin == "seed:" and set(rest) == {"€"}


def test_a_baseline_finder_that_finds_none_leaves_an_empty_folder(run, pod, executor_input):
    executor_input["inputs"].pop("artifacts")
    baseline = {"uri": f"{ROOT}/BaselineFinder/3/baseline", "type": artifact_type("Model")}
    executor_input["outputs"]["artifacts"] = {"baseline": {"artifacts": [baseline]}}
    code, output, _ = run(BASELINE_FINDER, {"parameters": SPEC["parameters"]})
    assert code == 0
    (found,) = output["artifacts"]["baseline"]["artifacts"]
    assert found["metadata"]["has_baseline"] == 0
    assert found["uri"] == baseline["uri"]


@pytest.mark.parametrize(
    ("side", "error"),
    [
        ("inputs", "'NoneType' object has no attribute 'get'"),
        ("outputs", "Could not import system.Artifact|No module named 'system'"),
    ],
)
def test_tfx_alone_fails_on_what_the_driver_hands_it(executor_input, side, error):
    """The reason for this entrypoint. Should TFX mend it one day, there is less to do here."""
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    given = copy.deepcopy(executor_input)
    other = {"inputs": "outputs", "outputs": "inputs"}[side]
    del given[other]["artifacts"]
    with pytest.raises((ImportError, AttributeError), match=error):
        kubeflow_v2_run_executor._run_executor(
            argparse.Namespace(
                executor_class_path=PUSHER,
                json_serialized_invocation_args=json.dumps(given),
                json_serialized_inputs_spec_args=json.dumps(SPEC),
            ),
            [],
        )


def test_the_data_gate_hands_on_its_word_and_ends_well(run, pod, executor_input, tmp_path):
    keys = {
        "examples": "Examples",
        "statistics": "ExampleStatistics",
        "anomalies": "ExampleAnomalies",
        "baseline": "Model",
    }
    inputs, outputs = executor_input["inputs"], executor_input["outputs"]
    inputs["parameterValues"] = {"settings": "{}", "code_digest": ""}
    inputs["artifacts"] = {
        key: {"artifacts": [{"name": key, "uri": f"{ROOT}/{key}", "type": {"instanceSchema": ""}}]}
        for key in keys
    }
    blessing = {"uri": f"{ROOT}/DataGate/2/data_blessing", "type": artifact_type("InfraBlessing")}
    outputs["artifacts"] = {"data_blessing": {"artifacts": [blessing]}}
    outputs["parameters"] = {"blessed": {"outputFile": "/tmp/kfp/outputs/blessed"}}
    spec = {
        "artifacts": {key: {"artifactType": artifact_type(name)} for key, name in keys.items()},
        "parameters": {key: {"parameterType": "STRING"} for key in inputs["parameterValues"]},
    }
    code, output, _ = run("components.data_gate.executor.Executor", spec)
    assert code == 0, "a step that failed would lose its rows"
    words = "nothing is trained: the data failed the DataGate. pictures: "
    assert output["parameterValues"]["blessed"].startswith(words)
    assert output["parameterValues"]["blessed"].endswith("pictures.parquet is missing")
    (artifact,) = output["artifacts"]["data_blessing"]["artifacts"]
    assert artifact["metadata"]["blessed"] == 0 and artifact["uri"] == blessing["uri"]


def test_the_report_fills_what_the_backends_pages_show(run, pod, executor_input):
    """With nothing to tell of: the page says what is missing, and the step ends well."""
    keys = {
        "data_blessing": "InfraBlessing",
        "model_run": "ModelRun",
        "evaluation": "ModelEvaluation",
        "model_blessing": "ModelBlessing",
        "infra_blessing": "InfraBlessing",
        "pushed_model": "PushedModel",
    }
    inputs, outputs = executor_input["inputs"], executor_input["outputs"]
    inputs["parameterValues"] = {
        "make": "pipeline.report.step.make_report",
        "provenance": json.dumps({"recipe": {"name": "tiny", "data": {"source": "digits"}}}),
    }
    inputs["artifacts"] = {
        key: {"artifacts": [{"name": key, "uri": f"{ROOT}/{key}", "type": {"instanceSchema": ""}}]}
        for key in keys
    }
    inputs["artifacts"]["pushed_model"]["artifacts"][0]["metadata"] = {"compared_version": "7"}
    types = {key: {"schemaTitle": title} for key, title in report_outputs.TYPES.items()}
    types["report"] = artifact_type("ModelEvaluation")
    outputs["artifacts"] = {
        key: {"artifacts": [{"name": key, "uri": f"{ROOT}/Report/2/{key}", "type": kind}]}
        for key, kind in types.items()
    }
    spec = {
        "artifacts": {key: {"artifactType": artifact_type(name)} for key, name in keys.items()},
        "parameters": {key: {"parameterType": "STRING"} for key in inputs["parameterValues"]},
    }
    code, output, _ = run("components.report.executor.Executor", spec)
    assert code == 0 and set(output["artifacts"]) == set(types)
    page = pod / "minio" / ROOT.removeprefix("minio://") / "Report" / "2" / "page"
    assert "Served now</dt><dd>version 7" in page.read_text()
    assert ": what Evaluator left did not come to this step" in page.read_text()
