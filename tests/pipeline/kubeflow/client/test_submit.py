"""`graft submit` against a stand-in of the REST API: what is sent, what is shown, how it ends."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.commands.submit import Options, submit_package
from pipeline.config import load_recipe
from pipeline.kubeflow.client import credentials, kfp_client
from pipeline.kubeflow.compiler import parameters
from pipeline.kubeflow.package.setting_paths import SETTING_PATHS

_SECRET = "s3cr3t-t0ken"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    """Nothing of the developer's own: no host, no token, a home where kfp leaves nothing."""
    for name in ("KF_PIPELINES_ENDPOINT", "KFP_TOKEN", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "not-mounted"))
    monkeypatch.setattr(credentials, "_MOUNTED_NAMESPACE", tmp_path / "not-mounted")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    yield
    assert not (home / ".config" / "kfp").exists()


@pytest.fixture
def submit(kfp, package_file, capfd):
    """`submit(**options)` gives the exit code and what was printed."""

    def run(target=package_file, overrides=(), **options):
        options = {"host": kfp.host, "poll_seconds": 0.01, **options}
        code = submit_package(str(target), list(overrides), Options(**options))
        return code, capfd.readouterr().out

    return run


# What is sent


def test_a_run_is_the_package_unchanged_with_its_name_and_parameters(kfp, submit, package_file):
    code, out = submit(
        run_name="nightly",
        experiment="vision",
        params=("frozen_epochs=2", "data_source=s3://bucket/cats=dogs", "learning_rate=3e-4"),
        pipeline_root="s3://bucket/root",
        service_account="trainer",
    )
    assert code == 0
    (run,) = kfp.runs
    assert run["runtime_config"] == {
        "parameters": {
            "frozen_epochs": 2,
            "data_source": "s3://bucket/cats=dogs",
            "learning_rate": 0.0003,
        },
        "pipeline_root": "s3://bucket/root",
    }
    assert (run["display_name"], run["service_account"]) == ("nightly", "trainer")
    assert list(kfp.experiments) == ["vision"]
    sent = run["pipeline_spec"]
    spec, platform = yaml.safe_load_all(package_file.read_text())
    for document, key, message in (
        (spec, "pipeline_spec", pipeline_spec_pb2.PipelineSpec),
        (platform, "platform_spec", pipeline_spec_pb2.PlatformSpec),
    ):
        assert json_format.ParseDict(sent[key], message()) == json_format.ParseDict(
            document, message()
        )
    assert f"{kfp.host}/#/runs/details/run-1" in out and "9 steps, new experiment vision" in out


def test_defaults_leave_everything_to_package_and_server(kfp, submit):
    submit()
    (run,) = kfp.runs
    assert run["runtime_config"] == {"parameters": {}}
    assert "service_account" not in run
    assert re.fullmatch(r"digits \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", run["display_name"])
    assert list(kfp.experiments) == ["digits"]
    tasks = run["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
    assert all(task["cachingOptions"] == {"enableCache": True} for task in tasks.values())
    assert not any(path.startswith("/apis/v2beta1/pipelines") for path in kfp.paths())


def test_no_cache_switches_off_every_step(kfp, submit):
    submit(use_cache=False)
    tasks = kfp.runs[0]["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
    assert [t.get("cachingOptions", {}).get("enableCache", False) for t in tasks.values()] == (
        [False] * len(kfp.steps)
    )


def test_an_experiment_that_is_there_is_taken(kfp, submit):
    kfp.experiments["digits"] = {"experiment_id": "exp-7", "display_name": "digits"}
    _, out = submit()
    assert kfp.runs[0]["experiment_id"] == "exp-7" and "new" not in out
    assert "/apis/v2beta1/experiments" not in kfp.paths("POST")


def test_a_recipe_is_compiled_first(kfp, submit, package_file, monkeypatch):
    def compile_package(recipe):
        assert (recipe.name, recipe.seed) == ("digits", 7)
        return package_file.read_text()

    compiler = types.SimpleNamespace(compile_package=compile_package)  # TFX takes ten seconds
    monkeypatch.setitem(sys.modules, "pipeline.kubeflow.compiler.compile_package", compiler)
    assert submit("digits", ["seed=7"])[0] == 0
    assert len(kfp.runs) == 1


# Tokens and namespaces


def test_a_token_file_is_read_again_for_every_request(kfp, submit, tmp_path):
    token = tmp_path / "token"
    token.write_text(f"{_SECRET}-0\n")
    kfp.play(("RUNNING", None), ("SUCCEEDED", {"done": 9}))
    kfp.on_get_run = lambda: token.write_text(f"{_SECRET}-1\n")
    _, out = submit(token_file=token, wait=True)
    sent = [headers["authorization"] for *_, headers, _ in kfp.requests]
    assert sent == [f"Bearer {_SECRET}-0"] * (len(sent) - 1) + [f"Bearer {_SECRET}-1"]
    assert _SECRET not in out


def test_the_token_of_the_environment_and_of_the_pod(kfp, submit, tmp_path, monkeypatch):
    submit()
    assert "authorization" not in {k.lower() for k in kfp.requests[-1][3]}
    mounted = tmp_path / "mounted"
    mounted.write_text(f"{_SECRET}-pod")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(mounted))
    submit()
    assert kfp.requests[-1][3]["authorization"] == f"Bearer {_SECRET}-pod"
    monkeypatch.setenv("KFP_TOKEN", f"{_SECRET}-env")
    submit()
    assert kfp.requests[-1][3]["authorization"] == f"Bearer {_SECRET}-env"


def test_what_kfp_once_left_in_the_home_folder_is_not_read(kfp, submit, tmp_path, monkeypatch):
    context = tmp_path / "context.json"
    cookie = {"client_authentication_cookie": "session=1", "namespace": "somebody"}
    context.write_text(json.dumps(cookie))
    monkeypatch.setattr(kfp_client.kfp.Client, "_LOCAL_KFP_CONTEXT", str(context))
    submit()  # the stub refuses a namespace here
    assert not any("Cookie" in headers for *_, headers, _ in kfp.requests)


def test_with_several_users_the_namespace_goes_along(kfp, submit):
    kfp.multi_user = True
    submit(namespace="team-a")
    assert kfp.experiments["digits"]["namespace"] == "team-a"
    kfp.multi_user = False
    kfp.experiments.clear()
    submit(namespace="team-a")  # the stub refuses a namespace here, as the server does
    assert not kfp.problems


@pytest.mark.parametrize(
    ("failure", "token", "says"),
    [
        ((401, "Jwt is expired"), True, "refuses the token (401: Jwt is expired): it has expired"),
        ((401, "Unauthorized"), False, "asks for a token (401: Unauthorized): see --token-file"),
        ((403, {"message": "cannot create runs"}), True, "not allow this to the token's owner"),
        ((302, ""), False, "sends us elsewhere (302), to a login page as a rule"),
        ((200, "<html>Log in</html>"), False, "answers, but not as Kubeflow Pipelines"),
        ((404, "<html>nginx</html>"), False, "answers, but not as Kubeflow Pipelines"),
        ((400, {"error": "no", "message": "bad\nnews"}), False, "answers 400: bad news"),
    ],
)
@pytest.mark.parametrize("where", ["/healthz", "/runs"])
def test_a_refusal_is_one_line_without_the_token(
    kfp, submit, monkeypatch, failure, token, says, where
):
    if token:
        monkeypatch.setenv("KFP_TOKEN", _SECRET)
    method = "GET" if where == "/healthz" else "POST"
    kfp.failures = [(method, where, *failure)]
    with pytest.raises(ValueError) as raised:
        submit()
    message = str(raised.value)
    assert says in message and kfp.host in message
    assert _SECRET not in message and "\n" not in message
    assert not kfp.runs


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"host": None}, "where is Kubeflow Pipelines? Give its address here or in KF_PIPELINES"),
        ({"host": "kfp.example"}, "begins with http:// or https://"),
        ({"host": "http://h/pipeline/#/runs"}, "leave out what follows http://h/pipeline"),
        ({"host": f"https://me:{_SECRET}@h"}, "without user and password"),
        ({"token_file": Path("nowhere")}, "token file nowhere: No such file"),
        ({"ca_cert": Path("nowhere")}, "--ca-cert nowhere: there is no such file"),
        ({"pipeline_root": "runs/here"}, "minio://bucket/folder"),
        ({"pipeline_root": "s3://"}, "s3://bucket/folder"),
        ({"cron": "0 3 * *"}, "minute, hour, day, month and day of the week"),
        ({"cron": "0 3 * * *", "wait": True}, "--cron starts none now"),
        ({"timeout_seconds": 5.0}, "give --wait too"),
        ({"replace": True}, "give --cron too"),
        ({"params": ("frozen_epochs",)}, "write key=value, as in data_source=digits"),
        ({"params": ("frozen_epoch=1",)}, "no such parameter (did you mean `frozen_epochs`?)"),
        ({"params": ("x=1",)}, "It has: data_source, frozen_epochs, learning_rate"),
        ({"params": ("frozen_epochs=2.5",)}, "whole number, such as 4, its default, not '2.5'"),
        ({"params": ("learning_rate=nan",)}, "must be a number, such as 0.001"),
        ({"params": ("data_source=a", "data_source=b")}, "--param data_source: it is given twice"),
        ({"overrides": ["seed=1"]}, "is compiled: use --param"),
        ({"target": "digts"}, "did you mean `digits`?"),
    ],
)
def test_a_mistake_is_found_before_anything_is_sent(kfp, submit, options, says):
    with pytest.raises(ValueError) as raised:
        submit(**options)
    message = str(raised.value)
    assert says in message and "\n" not in message and _SECRET not in message
    assert kfp.requests == []


def test_what_the_trainer_would_refuse_an_hour_later_is_refused_now(kfp, submit, tmp_path):
    recipe = load_recipe("digits")
    exposed = {p.name: p for p in parameters.exposed_settings(recipe, "digits", "served")}
    spec, platform = kfp.package_documents()
    constants = {
        "custom_config": json.dumps({"settings": recipe.trainer.model_dump_json()}),
        SETTING_PATHS: json.dumps({"frozen_epochs": exposed["frozen_epochs"].setting_path}),
    }
    inputs = spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]
    declared = spec["components"]["Trainer"]["inputDefinitions"]["parameters"]
    for name, text in constants.items():
        inputs[name] = {"runtimeValue": {"constant": text}}
        declared[name] = {"parameterType": "STRING"}
    package = tmp_path / "package.yaml"
    package.write_text(yaml.safe_dump_all([spec, platform]))
    with pytest.raises(ValueError, match=r"frozen_epochs: .*, not -3"):
        submit(package, params=("frozen_epochs=-3",))
    assert kfp.requests == []
    submit(package, params=("frozen_epochs=3",))
    assert kfp.runs[0]["runtime_config"]["parameters"] == {"frozen_epochs": 3}
    inputs[SETTING_PATHS]["runtimeValue"]["constant"] = "not JSON"
    package.write_text(yaml.safe_dump_all([spec, platform]))
    with pytest.raises(ValueError, match=r"Trainer: .* compile it again"):
        submit(package)


def test_a_parameter_without_default_must_be_given(kfp, submit, tmp_path):
    spec, platform = kfp.package_documents()
    del spec["root"]["inputDefinitions"]["parameters"]["data_source"]["defaultValue"]
    package = tmp_path / "package.yaml"
    package.write_text(yaml.safe_dump_all([spec, platform]))
    with pytest.raises(ValueError, match="data_source"):
        submit(package)
    assert kfp.requests == []


@pytest.mark.parametrize("text", ["", " \n", "two words", "two\nlines", "kl\u00e4r", "a\x00b"])
def test_what_is_no_token_is_refused_and_not_repeated(kfp, submit, tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(ValueError, match="it must hold the token and nothing else") as raised:
        submit(token_file=file)
    assert not text.strip() or text not in str(raised.value)
    assert kfp.requests == []


def test_a_package_edited_by_hand_is_refused_before_anything_is_sent(kfp, submit, tmp_path):
    spec, platform = kfp.package_documents()
    spec["root"]["dag"]["tasks"]["Trainer"]["componentRef"]["name"] = "Trainr"
    path = tmp_path / "edited.yaml"
    path.write_text(yaml.safe_dump_all([spec, platform]))
    with pytest.raises(ValueError, match="Trainr"):
        submit(path)
    renamed = path.rename(tmp_path / "edited.txt")
    with pytest.raises(ValueError, match=r"ends in \.yaml"):
        submit(renamed)
    assert kfp.requests == []


# A host that is not there


def test_nobody_listens(submit):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{free.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(ValueError) as raised:
        submit(host=host)
    assert str(raised.value) == f"{host} cannot be reached: Connection refused"
    assert time.monotonic() - start < 20


def test_a_name_that_nobody_has(submit):
    with pytest.raises(ValueError, match=r"http://kfp\.invalid cannot be reached: "):
        submit(host="http://kfp.invalid")


def test_a_host_that_takes_calls_and_says_nothing(kfp, submit, monkeypatch):
    monkeypatch.setattr(kfp_client, "_TIMEOUT", kfp_client.urllib3.Timeout(connect=1, read=1))
    kfp.hang = {"GET": 5}
    with pytest.raises(ValueError, match=r"gives no answer: none in 1 seconds$"):
        submit()
    kfp.hang = {"POST": 5}
    with pytest.raises(ValueError, match=r"seconds; look there whether it was done all the same$"):
        submit()


def test_what_only_reads_is_asked_again_while_a_server_restarts(kfp, submit):
    kfp.failures = [("GET", "/healthz", 503, "starting")] * 2
    assert submit()[0] == 0
    kfp.failures = [("POST", "/runs", 503, "starting")]
    with pytest.raises(ValueError, match="answers 503: starting"):
        submit()  # a second run might be the result
    assert len(kfp.runs) == 1


def test_https_to_a_host_that_speaks_http(kfp, submit):
    with pytest.raises(ValueError, match=r"does not speak https: write http://$"):
        submit(host=kfp.host.replace("http:", "https:"))


def test_https_with_an_authority_of_ones_own(kfp, submit, tmp_path):
    key, cert = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    kfp.serve_tls(context)
    with pytest.raises(ValueError, match=r"cannot be trusted .* with --ca-cert"):
        submit(host=kfp.host)
    assert submit(host=kfp.host, ca_cert=cert)[0] == 0


def _certificate(folder):
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stub")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    key_file, cert_file = folder / "key.pem", folder / "cert.pem"
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    return key_file, cert_file


# Waiting


def test_wait_shows_the_steps_as_they_come(kfp, submit):
    kfp.play(
        ("PENDING", None),
        ("RUNNING", {"done": 0, "now": "RUNNING"}),
        ("RUNNING", {"done": 4, "now": "RUNNING"}),
        ("SUCCEEDED", {"done": 9}),
    )
    code, out = submit(wait=True)
    assert code == 0
    lines = [re.sub(r" +", " ", line) for line in out.splitlines()]
    for shown in ("● ImageExampleGen running", "✓ ImageExampleGen succeeded 1:00", "● Transform"):
        assert any(line.startswith(shown) for line in lines), out
    assert lines[-1] == "✓ Succeeded"
    assert kfp.paths().count("/apis/v2beta1/runs/run-1") == 4


def test_a_failure_in_step_5_of_9_names_it_and_shows_the_end_of_its_log(kfp, submit):
    kfp.play(("RUNNING", {"done": 4, "now": "RUNNING"}), ("FAILED", {"done": 4, "now": "FAILED"}))
    pod = kfp.pod("root.Transform.executor")
    log = [f"line {n}" for n in range(100)] + [
        "\x1b[31mgraft: the disk is full [/no markup]\x1b[0m"
    ]
    kfp.logs[pod] = "\n".join(log) + "\n"
    code, out = submit(wait=True)
    assert code == 1
    assert "✗ Transform (step 5 of 9) failed" in out
    assert "  graft: the disk is full [/no markup]\n" in out and "\x1b" not in out
    assert "line 99" in out and "line 5\n" not in out, "the end of it, not all"
    assert "- Trainer" in out and "skipped" in out
    assert [p for p in kfp.paths() if p.endswith("/log")] == [
        f"/apis/v1alpha1/runs/run-1/nodes/{pod}/log"
    ]


def test_the_log_may_come_from_the_server_of_the_user_interface(kfp, submit):
    kfp.play(("FAILED", {"done": 4, "now": "FAILED"}))
    kfp.ui_only_logs = True
    kfp.logs[kfp.pod("root.Transform.executor")] = "graft: no"
    assert "graft: no" in submit(wait=True)[1]


def test_the_log_of_a_retried_step_is_that_of_its_last_attempt(kfp, submit, tmp_path):
    package = tmp_path / "retried.yaml"
    package.write_text(yaml.safe_dump_all(kfp.package_documents(retries=2)))
    kfp.play(("FAILED", {"done": 5, "now": "FAILED", "attempts": 3}))
    for attempt in range(3):
        pod = kfp.pod(f"root.Trainer.executor({attempt})", "retry-system-container-impl")
        kfp.logs[pod] = f"attempt {attempt}"
    assert "attempt 2" in submit(package, wait=True)[1]
    kfp.logs = {kfp.pod("root.Trainer.executor(2)", "Trainer-system-container-impl"): "as in 2.5"}
    assert "as in 2.5" in submit(package, wait=True)[1]


def test_a_step_that_fails_before_its_container_starts(kfp, submit):
    kfp.play(("FAILED", {"done": 4, "now": "FAILED", "driver": "FAILED"}))
    kfp.logs[kfp.pod("root.Transform-driver", "system-container-driver")] = "no such artifact"
    code, out = submit(wait=True)
    assert code == 1 and "no such artifact" in out
    assert "✗ Transform (step 5 of 9) failed before its container started" in out


def test_without_a_log_the_page_of_the_run_is_named(kfp, submit):
    kfp.play(("FAILED", {"done": 4, "now": "FAILED"}))
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
        kfp_client, "_RETRIES", kfp_client.urllib3.Retry(total=0, raise_on_status=False)
    )
    kfp.play(("RUNNING", {"done": 1, "now": "RUNNING"}), ("SUCCEEDED", {"done": 9}))
    away = ("GET", "/runs/run-1", 503, "upstream connect error")
    kfp.failures = [away, away, ("GET", "/runs/run-1", 429, "slow down")]
    code, out = submit(wait=True)
    assert code == 0 and out.count("asking again") == 1
    assert not kfp.failures


def test_a_token_that_expires_while_waiting_leaves_the_run_alone(kfp, submit, capfd, monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", _SECRET)
    kfp.failures = [("GET", "/runs/run-1", 401, "Jwt is expired")]
    with pytest.raises(ValueError, match="refuses the token"):
        submit(wait=True)
    assert f"The run goes on: {kfp.host}/#/runs/details/run-1" in capfd.readouterr().out


def test_a_timeout_leaves_the_run_running(kfp, submit):
    kfp.play(("RUNNING", {"done": 1, "now": "RUNNING"}))
    code, out = submit(wait=True, timeout_seconds=0.2)
    assert code == 1 and "Not done in 0.2 seconds. The run goes on: http" in out


def test_ctrl_c_leaves_the_run_running(kfp, submit):
    kfp.play(("RUNNING", {"done": 1, "now": "RUNNING"}))
    kfp.on_get_run = lambda: os.kill(os.getpid(), signal.SIGINT)
    code, out = submit(wait=True, poll_seconds=60)
    assert code == 130 and "No longer waiting. The run goes on: http" in out
    assert "DELETE" not in {method for method, *_ in kfp.requests}
    assert not any("terminate" in path for path in kfp.paths())


# Schedules


def test_a_schedule_has_six_fields_no_catching_up_and_one_run_at_a_time(kfp, submit):
    code, out = submit(cron="30 3 * * MON-FRI", params=("frozen_epochs=1",))
    (schedule,) = kfp.schedules.values()
    assert code == 0 and kfp.runs == []
    assert schedule["trigger"] == {"cron_schedule": {"cron": "0 30 3 * * MON-FRI"}}
    assert schedule["no_catchup"] is True and int(schedule["max_concurrency"]) == 1
    assert (schedule["mode"], schedule["display_name"]) == ("ENABLE", "digits")
    assert schedule["runtime_config"]["parameters"] == {"frozen_epochs": 1}
    assert "platform_spec" in schedule["pipeline_spec"]
    assert "Schedule digits (new): 0 30 3 * * MON-FRI (second minute hour" in out
    assert f"/#/recurringrun/details/{schedule['recurring_run_id']}" in out


def test_a_second_schedule_of_the_same_name_is_refused_or_takes_its_place(kfp, submit):
    submit(cron="30 3 * * *")
    with pytest.raises(ValueError, match=r"there is a schedule digits .* \(0 30 3 \* \* \*\)"):
        submit(cron="0 4 * * *")
    assert len(kfp.schedules) == 1
    submit(cron="0 4 * * *", run_name="another")
    assert len(kfp.schedules) == 2
    _, out = submit(cron="0 5 * * *", replace=True)
    crons = [(s["display_name"], s["trigger"]["cron_schedule"]["cron"]) for s in _all(kfp)]
    assert crons == [("another", "0 0 4 * * *"), ("digits", "0 0 5 * * *")]
    assert "replaces 1" in out


def test_a_schedule_that_cannot_be_made_leaves_the_old_one(kfp, submit):
    submit(cron="30 3 * * *")
    kfp.failures = [("POST", "/recurringruns", 400, {"message": "no"})]
    with pytest.raises(ValueError, match="answers 400: no"):
        submit(cron="0 5 * * *", replace=True)
    assert [s["trigger"]["cron_schedule"]["cron"] for s in _all(kfp)] == ["0 30 3 * * *"]


def _all(kfp):
    return list(kfp.schedules.values())


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


def test_the_command_ends_without_traceback_token_or_tensorflow(kfp, package_file, graft):
    kfp.play(("FAILED", {"done": 4, "now": "FAILED"}))
    failed = graft("submit", package_file, "--host", kfp.host, "--wait", "--poll", "0.1")
    assert (failed.returncode, failed.stderr) == (1, "")
    assert failed.stdout.splitlines()[-1] == "[]"
    refused = graft("submit", package_file, "--host", kfp.host, "--param", "frozen_epochs=x")
    assert refused.returncode == 2
    assert refused.stderr.startswith("graft: --param frozen_epochs: ")
    assert len(refused.stderr.splitlines()) == 1
    assert _SECRET not in failed.stdout + refused.stdout + refused.stderr


@pytest.mark.slow
def test_a_recipe_is_compiled_and_sent_in_one_command(kfp, graft, tmp_path):
    block = {"image": "registry.example/graft:1.0", "pvcs.models": "/mnt/models"}
    block["push_destination"] = "/mnt/models/digits"
    settings = [
        word for key, value in block.items() for word in ("--set", f"kubeflow.{key}={value}")
    ]
    done = graft("submit", "digits", *settings, "--host", kfp.host, "--no-cache")
    assert done.returncode == 0, done.stderr
    tasks = kfp.runs[0]["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
    assert {"ImageExampleGen", "Trainer", "Pusher"} <= set(tasks)
    assert {path.name for path in tmp_path.iterdir()} == {"home"}, "nothing is left behind"
