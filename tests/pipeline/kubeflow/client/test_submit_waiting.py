"""`graft submit --wait` against a stand-in of the REST API: what it shows and how it ends."""

import os
import re
import signal
import subprocess
import sys

import pytest
import yaml

from components.errors import UserError
from pipeline.kubeflow.client import connection, run_watch
from pipeline.node_ids import ALL, DATA_GATE, TRANSFORM

_SECRET = "s3cr3t-t0ken"
# Steps that are done when Transform begins.
BEFORE_TRANSFORM = ALL.index(TRANSFORM)


def test_wait_shows_the_steps_as_they_come(kfp, submit):
    kfp.play(
        ("PENDING", None),
        ("RUNNING", {"done": 0, "now": "RUNNING"}),
        ("RUNNING", {"done": BEFORE_TRANSFORM, "now": "RUNNING"}),
        ("SUCCEEDED", {"done": len(ALL)}),
    )
    code, out = submit(wait=True)
    assert code == 0
    lines = [re.sub(r" +", " ", line) for line in out.splitlines()]
    for shown in ("● ImageExampleGen running", "✓ ImageExampleGen succeeded 1:00", "● Transform"):
        assert any(line.startswith(shown) for line in lines), out
    assert lines[-1] == "✓ Succeeded"
    assert kfp.paths().count("/apis/v2beta1/runs/run-1") == 4


def test_a_failure_names_the_step_and_shows_the_end_of_its_log(kfp, submit):
    kfp.play(
        ("RUNNING", {"done": BEFORE_TRANSFORM, "now": "RUNNING"}),
        ("FAILED", {"done": BEFORE_TRANSFORM, "now": "FAILED"}),
    )
    pod = kfp.pod("root.Transform.executor")
    log = [f"line {n}" for n in range(100)] + [
        "\x1b[31mgraft: the disk is full [/no markup]\x1b[0m"
    ]
    kfp.logs[pod] = "\n".join(log) + "\n"
    code, out = submit(wait=True)
    assert code == 1
    assert "✗ Transform (step 6 of 11) failed" in out
    assert "  graft: the disk is full [/no markup]\n" in out and "\x1b" not in out
    assert "  line 71\n" in out and "line 70\n" not in out, "the last 30 lines"
    assert "- Trainer" in out and "skipped" in out
    assert [p for p in kfp.paths() if p.endswith("/log")] == [
        f"/apis/v1alpha1/runs/run-1/nodes/{pod}/log"
    ]


def test_the_log_may_come_from_the_server_of_the_user_interface(kfp, submit):
    kfp.play(("FAILED", {"done": BEFORE_TRANSFORM, "now": "FAILED"}))
    kfp.ui_only_logs = True
    kfp.logs[kfp.pod("root.Transform.executor")] = "graft: no"
    assert "graft: no" in submit(wait=True)[1]


def test_the_log_of_a_retried_step_is_that_of_its_last_attempt(kfp, submit, tmp_path):
    package = tmp_path / "retried.yaml"
    package.write_text(yaml.safe_dump_all(kfp.package_documents(retries=2)))
    kfp.play(("FAILED", {"done": BEFORE_TRANSFORM + 1, "now": "FAILED", "attempts": 3}))
    for attempt in range(3):
        pod = kfp.pod(f"root.Trainer.executor({attempt})", "retry-system-container-impl")
        kfp.logs[pod] = f"attempt {attempt}"
    assert "attempt 2" in submit(package, wait=True)[1]
    kfp.logs = {kfp.pod("root.Trainer.executor(2)", "Trainer-system-container-impl"): "as in 2.5"}
    assert "as in 2.5" in submit(package, wait=True)[1]


def test_a_step_that_fails_before_its_container_starts(kfp, submit):
    kfp.play(("FAILED", {"done": BEFORE_TRANSFORM, "now": "FAILED", "driver": "FAILED"}))
    kfp.logs[kfp.pod("root.Transform-driver", "system-container-driver")] = "no such artifact"
    code, out = submit(wait=True)
    assert code == 1 and "no such artifact" in out
    assert "✗ Transform (step 6 of 11) failed before its container started" in out


def test_without_a_log_the_page_of_the_run_is_named(kfp, submit):
    kfp.play(("FAILED", {"done": BEFORE_TRANSFORM, "now": "FAILED"}))
    code, out = submit(wait=True)
    assert code == 1
    assert f"the run's page has it: {kfp.host}/#/runs/details/run-1" in out


@pytest.mark.parametrize(("state", "says"), [("FAILED", "✗ Failed"), ("CANCELED", "✗ Canceled")])
def test_a_run_that_ends_badly_without_a_failed_step(kfp, submit, state, says):
    kfp.play((state, {"done": 2}))
    code, out = submit(wait=True)
    assert code == 1 and says in out and "run's page" in out


def test_waiting_survives_a_server_that_is_away(kfp, submit, monkeypatch):
    monkeypatch.setattr(
        connection, "_RETRIES", connection.urllib3.Retry(total=0, raise_on_status=False)
    )
    kfp.play(("RUNNING", {"done": 1, "now": "RUNNING"}), ("SUCCEEDED", {"done": len(ALL)}))
    away = ("GET", "/runs/run-1", 503, "upstream connect error")
    kfp.failures = [away, away, ("GET", "/runs/run-1", 429, "slow down")]
    code, out = submit(wait=True)
    assert code == 0 and out.count("asking again") == 1
    assert not kfp.failures


def test_a_token_that_expires_while_waiting_leaves_the_run_alone(kfp, submit, capfd, monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", _SECRET)
    kfp.failures = [("GET", "/runs/run-1", 401, "Jwt is expired")]
    with pytest.raises(connection.ApiError, match="refuses the token"):
        submit(wait=True)
    assert f"The run goes on: {kfp.host}/#/runs/details/run-1" in capfd.readouterr().out


def test_a_token_whose_file_goes_while_waiting_leaves_the_run_alone(kfp, submit, capfd, tmp_path):
    file = tmp_path / "token"
    file.write_text(_SECRET)
    kfp.play(("RUNNING", {"done": 1, "now": "RUNNING"}))
    kfp.on_get_run = lambda: file.unlink(missing_ok=True)
    with pytest.raises(UserError, match=f"token file {file}: No such file"):
        submit(wait=True, token_file=file)
    assert f"The run goes on: {kfp.host}/#/runs/details/run-1" in capfd.readouterr().out


def test_a_timeout_leaves_the_run_running(kfp, submit):
    kfp.play(("RUNNING", {"done": 1, "now": "RUNNING"}))
    code, out = submit(wait=True, timeout_seconds=0.2)
    assert code == 1 and "Not done in 0.2 seconds. The run goes on: http" in out


def test_of_several_steps_that_failed_each_is_told_with_its_own_message(kfp, submit):
    kfp.play(("FAILED", {"done": BEFORE_TRANSFORM, "now": "FAILED"}))
    ((state, details),) = kfp.script
    (transform,) = (node for node in details if node["display_name"] == "Transform")
    other = {**transform, "display_name": "DataGate", "error": {"message": "no disk"}}
    kfp.script = [(state, [*details, other])]
    code, out = submit(wait=True)
    assert code == 1
    assert "✗ Transform (step 6 of 11) failed\n" in out
    assert f"✗ DataGate (step {ALL.index(DATA_GATE) + 1} of 11) failed: no disk\n" in out


@pytest.mark.parametrize(
    ("scene", "says"),
    [
        ({"done": 2}, "✗ Failed: the pod was evicted: http"),
        (
            {"done": BEFORE_TRANSFORM, "now": "FAILED"},
            "✗ Transform (step 6 of 11) failed: the pod was evicted\n",
        ),
    ],
)
def test_what_the_run_says_counts_where_its_steps_say_nothing(kfp, submit, scene, says):
    kfp.play(("FAILED", scene))
    kfp.error = "the pod was evicted"
    code, out = submit(wait=True)
    assert code == 1 and says in out


@pytest.mark.parametrize("timeout", [None, 90.0])
def test_how_often_it_asks_and_how_long_is_as_it_was_told(submit, monkeypatch, timeout):
    asked = {}

    def wait_for(get_run, display, **options):
        asked.update(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_watch, "wait_for", wait_for)
    assert submit(wait=True, poll_seconds=7.0, timeout_seconds=timeout)[0] == 130
    assert asked == {"poll_seconds": 7.0, "timeout_seconds": timeout}


@pytest.fixture
def interruptible():
    """Ctrl-C raises KeyboardInterrupt, also where SIGINT is ignored, as below `nohup … &`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_leaves_the_run_running(kfp, submit, interruptible):
    kfp.play(("RUNNING", {"done": 1, "now": "RUNNING"}))
    kfp.on_get_run = lambda: os.kill(os.getpid(), signal.SIGINT)
    code, out = submit(wait=True, poll_seconds=60)
    assert code == 130 and "No longer waiting. The run goes on: http" in out
    assert "DELETE" not in {method for method, *_ in kfp.requests}
    assert not any("terminate" in path for path in kfp.paths())


# As users start it


@pytest.fixture
def graft(tmp_path):
    """`graft(*arguments)` in a process of its own; says last what of TFX it has imported."""
    code = (
        "import sys, pipeline.cli\n"
        "try: pipeline.cli.main()\n"
        "except SystemExit as end: code = end.code\n"
        "print(sorted({'tensorflow', 'tfx', 'apache_beam'} & set(sys.modules)))\n"
        "sys.exit(code)"
    )

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "KFP_TOKEN": _SECRET},
            timeout=300,
        )

    return run


@pytest.mark.slow
def test_the_command_ends_without_traceback_token_or_tensorflow(kfp, package_file, graft):
    kfp.play(("FAILED", {"done": BEFORE_TRANSFORM, "now": "FAILED"}))
    failed = graft("submit", package_file, "--host", kfp.host, "--wait", "--poll", "0.1")
    assert (failed.returncode, failed.stderr) == (1, "")
    assert failed.stdout.splitlines()[-1] == "[]"
    refused = graft("submit", package_file, "--host", kfp.host, "--param", "frozen_epochs=x")
    assert refused.returncode == 2
    assert refused.stderr.startswith("graft: --param frozen_epochs: ")
    assert len(refused.stderr.splitlines()) == 1
    assert _SECRET not in failed.stdout + refused.stdout + refused.stderr


@pytest.mark.slow
def test_a_recipe_is_compiled_and_sent_in_one_command(kfp, forked, tmp_path):
    block = {"image": "registry.example/graft:1.0", "pvcs.models": "/mnt/models"}
    block["push_destination"] = "/mnt/models/digits"
    settings = [
        word for key, value in block.items() for word in ("--set", f"kubeflow.{key}={value}")
    ]
    words = ["submit", "digits", *settings, "--host", kfp.host, "--no-cache"]
    env = {**os.environ, "KFP_TOKEN": _SECRET}
    done = forked.run(["-m", "pipeline.cli", *words], tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    tasks = kfp.runs[0]["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
    assert {"ImageExampleGen", "Trainer", "Pusher"} <= set(tasks)
    assert {path.name for path in tmp_path.iterdir()} == {"home"}, "nothing is left behind"
