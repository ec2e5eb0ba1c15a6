"""The folder and the process that stand in for a pod."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.kubeflow.emulator import pod as pod_module
from pipeline.kubeflow.emulator.pod import Pod, translate, translate_options

PLATFORM = {
    "pvcMount": [
        {"constant": "data", "mountPath": "/mnt/data"},
        {"constant": "models", "mountPath": "/mnt/data/m"},
    ],
    "secretAsEnv": [
        {
            "secretName": "minio",
            "keyToEnv": [
                {"secretKey": "accesskey", "envVar": "AWS_ACCESS_KEY_ID"},
                {"secretKey": "secretkey", "envVar": "AWS_SECRET_ACCESS_KEY"},
            ],
        }
    ],
    "secretAsVolume": [
        {"secretName": "gcp", "mountPath": "/secrets/gcp"},
        {"secretName": "signing", "mountPath": "/secrets/key"},
    ],
}


@pytest.fixture
def pod(tmp_path):
    return Pod(tmp_path / "pod", PLATFORM, tmp_path / "pvc")


@pytest.fixture
def run(pod, tmp_path):
    """Runs Python code in the pod; gives exit code and log."""

    def run(code: str, env=None, timeout_s=60, program="python"):
        exit_code = pod.run([program, "-c", code], env or {}, tmp_path / "log", timeout_s)
        return exit_code, (tmp_path / "log").read_text()

    return run


def test_paths_on_a_volume_become_those_of_its_folder(pod, tmp_path):
    value = {"a": ["/mnt/data/cats", "/mnt/database", 3], "b": '{"weights": "/mnt/data/m/w.h5"}'}
    assert translate(value, pod.claims) == {
        "a": [f"{tmp_path}/pvc/data/cats", "/mnt/database", 3],
        "b": f'{{"weights": "{tmp_path}/pvc/models/w.h5"}}',
    }
    assert translate("/mnt/data", pod.claims) == f"{tmp_path}/pvc/data"


def test_what_holds_no_such_path_is_left_to_the_letter(pod):
    for text in ('{ "a":1 }', "{not JSON", "[1,2]", "", "digits", '{"a": "/tmp/x"}'):
        assert translate(text, pod.claims) == text


def test_a_volume_outlives_its_pod_and_a_second_pod_sees_it(pod, tmp_path):
    (tmp_path / "pvc" / "data" / "file").write_text("x")
    again = Pod(tmp_path / "second", PLATFORM, tmp_path / "pvc")
    assert (again.claims["/mnt/data"] / "file").read_text() == "x"


def test_each_secret_has_an_empty_folder_of_its_own(pod):
    folders = [pod.mounts[path] for path in ("/secrets/gcp", "/secrets/key")]
    assert len({*folders}) == 2 and [[*folder.iterdir()] for folder in folders] == [[], []]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE"])
def test_a_step_has_what_its_node_would_give_it(name, run, monkeypatch):
    monkeypatch.setenv(name, "of the machine")
    assert run(f"import os; print(os.environ.get('{name}'))") == (0, "of the machine\n")


@pytest.mark.parametrize("program", ["python", "python3"])
def test_the_python_of_an_image_is_this_one_which_has_graft(program, run):
    assert run("import sys; print(sys.executable)", program=program) == (0, f"{sys.executable}\n")


def test_options_that_name_a_folder_on_a_claim_name_it_here(pod):
    words = ["python", "/mnt/data", "--temp_location=/mnt/data/x", "--a", "--b=/mnt", "{{$}}"]
    words.append("folder=/mnt/data")
    assert translate_options(words, pod.claims) == [
        *words[:2],
        f"--temp_location={pod.claims['/mnt/data']}/x",
        *words[3:],
    ]


def test_a_store_of_the_package_is_that_of_this_machine(run, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9000")
    code = "import os; print(os.environ.get('AWS_ENDPOINT_URL'))"
    assert run(code) == (0, "None\n"), "the package says nothing of it"
    of_cluster = {"AWS_ENDPOINT_URL": "http://minio.kubeflow:9000"}
    assert run(code, of_cluster) == (0, "http://localhost:9000\n")


def test_a_step_has_its_environment_and_nothing_of_ours(run, pod, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "given")
    env = {"HOME": "/tmp", "KEY_FILE": "/secrets/gcp/key.json", "DATA": "/mnt/data"}
    names = [*env, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MY_TOKEN", "GRAFT_LAUNCHER_ROOT"]
    code, log = run(
        f"import os\nfor n in {names}: print(os.environ.get(n))\nprint(os.getcwd())", env
    )
    assert code == 0
    assert log.splitlines() == [
        f"{pod.folder}/tmp",
        f"{pod.folder}/secrets/gcp/key.json",
        str(pod.claims["/mnt/data"]),
        "given",
        "secret-of-a-rehearsal",
        "None",
        str(pod.folder),
        str(pod.folder),
    ]


def test_a_step_can_import_graft_with_this_python(run):
    code, log = run("import sys, pipeline; print(sys.executable)")
    assert (code, log.strip()) == (0, sys.executable)


def test_a_step_has_a_folder_for_temporary_files_and_nobody_to_ask(run, pod):
    code, log = run("import sys, tempfile; print(tempfile.gettempdir(), repr(sys.stdin.read()))")
    assert (code, log) == (0, f"{pod.folder}/tmp ''\n")


def test_the_exit_code_and_the_termination_message_are_told(run, pod):
    code, log = run(
        "import os, sys\n"
        "open(os.environ['GRAFT_LAUNCHER_ROOT'] + '/dev/termination-log', 'wb')"
        ".write(b'too bad \\xff\\n')\n"
        "print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"
    )
    assert (code, pod.message, log) == (3, "too bad \ufffd", "out\nerr\n")


@pytest.mark.parametrize("first", ["", "trap '' TERM; "], ids=["obeys", "is deaf"])
def test_a_step_ends_at_its_deadline_with_its_children(first, run, monkeypatch):
    monkeypatch.setattr(pod_module, "_SECONDS_TO_END", 0.1)
    code, log = run(f"{first}sleep 60 & echo $!; sleep 60", timeout_s=0.3, program="sh")
    child, told = log.splitlines()
    assert code == -signal.SIGTERM and told == "ended after 0.3 s: its deadline"
    assert ended(int(child))


@pytest.mark.parametrize(
    ("ends", "signals"),
    [(True, [signal.SIGTERM]), (False, [signal.SIGTERM, signal.SIGKILL])],
    ids=["obeys", "is deaf"],
)
def test_all_processes_of_a_step_are_asked_to_end_and_then_made_to(ends, signals, monkeypatch):
    waits, sent = [], []

    class Process:
        pid = 17

        def wait(self, timeout=None):
            waits.append(timeout)
            if timeout is not None and not ends:
                raise subprocess.TimeoutExpired("a step", timeout)

    monkeypatch.setattr(os, "killpg", lambda group, number: sent.append((group, number)))
    with pytest.raises(KeyboardInterrupt), pod_module._ended_with_its_children(Process()):
        raise KeyboardInterrupt
    assert sent == [(17, number) for number in signals]
    assert waits[0] > 0 and (waits[-1] is None) == (not ends), "nothing is left to be reaped"


def ended(pid: int, within_s: float = 5.0) -> bool:
    """Whether a process is gone, or is only waiting to be reaped."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if " Z " in stat:
            return True
        time.sleep(0.05)
    return False
