"""Requests of `graft submit`: tokens, namespaces, refusals, and hosts that do not answer."""

import socket
import ssl
import time

import pytest
import urllib3

from components.errors import UserError
from pipeline.kubeflow.client import connection, credentials
from pipeline.kubeflow.client.connection import ApiError

_SECRET = "s3cr3t-t0ken"


def test_a_token_file_is_read_again_for_every_request(kfp, submit, tmp_path):
    token = tmp_path / "token"
    token.write_text(f"{_SECRET}-0\n")
    kfp.play(("RUNNING", None), ("SUCCEEDED", {"done": 10}))
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


def test_a_token_file_that_is_named_goes_before_the_environment(kfp, submit, tmp_path, monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", f"{_SECRET}-env")
    (tmp_path / "token").write_text(f"{_SECRET}-file")
    submit(token_file=tmp_path / "token")
    assert kfp.requests[-1][3]["authorization"] == f"Bearer {_SECRET}-file"


def test_in_a_pod_the_namespace_is_that_of_the_pod_unless_one_is_named(
    kfp, submit, tmp_path, monkeypatch
):
    kfp.multi_user = True
    (tmp_path / "namespace").write_text("team-b\n")
    monkeypatch.setattr(credentials, "_MOUNTED_NAMESPACE", tmp_path / "namespace")
    submit()
    assert kfp.experiments.pop("digits")["namespace"] == "team-b"
    submit(namespace="team-a")
    assert kfp.experiments["digits"]["namespace"] == "team-a"


def test_with_several_users_a_namespace_is_needed(kfp, submit):
    kfp.multi_user = True
    with pytest.raises(UserError, match=rf"--namespace: {kfp.host} has several users, so name"):
        submit()
    assert not kfp.runs


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
        ((403, {"message": "RBAC"}), False, "asks for a token (403: RBAC): see --token-file"),
        ((400, {"error": "only this"}), False, "answers 400: only this"),
        ((409, "x" * 500), False, f"answers 409: {'x' * 300}"),
        ((302, ""), False, "sends us elsewhere (302), to a login page as a rule"),
        ((200, "<html>Log in</html>"), False, "answers, but not as Kubeflow Pipelines"),
        ((200, ["a", "list"]), False, "answers, but not as Kubeflow Pipelines"),
        ((404, "\n <html>nginx</html>"), False, "answers, but not as Kubeflow Pipelines"),
        ((404, "<html>nginx</html>"), False, "answers, but not as Kubeflow Pipelines"),
        ((400, {"error": "no", "message": "bad\nnews"}), False, "answers 400: bad news"),
        ((400, ["odd"]), False, 'answers 400: ["odd"]'),
        ((500, ""), False, "answers 500 Internal Server Error"),
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
    with pytest.raises(ApiError) as raised:
        submit()
    message = str(raised.value)
    assert says in message and kfp.host in message
    assert _SECRET not in message and "\n" not in message and len(message) < 500
    assert not kfp.runs


@pytest.mark.parametrize("text", ["", " \n", "two words", "two\nlines", "kl\u00e4r", "a\x00b"])
def test_what_is_no_token_is_refused_and_not_repeated(kfp, submit, tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text)
    found = "holds more than one word of plain letters" if text.strip() else "is empty"
    with pytest.raises(UserError, match=f"{found}: it must hold the token and nothing") as raised:
        submit(token_file=file)
    assert not text.strip() or text not in str(raised.value)
    assert kfp.requests == []


@pytest.mark.parametrize(
    ("status", "is_busy"), [(429, True), (500, True), (400, False), (404, False)]
)
def test_a_server_that_is_only_busy_is_told_from_one_that_refuses(status, is_busy):
    error = connection.kfp_server_api.ApiException(status=status, reason="reason")
    error.body = '{"message": "said"}'
    found = connection.Connection("http://localhost", None, None)._explain(error)
    assert isinstance(found, connection.UnavailableError) == is_busy
    assert str(found) == f"http://localhost answers {status}: said"


def test_what_uploads_no_file_needs_no_room_for_one(kfp, monkeypatch):
    monkeypatch.setattr(connection.tempfile, "TemporaryDirectory", None)
    connection.Connection(kfp.host, None, None).request("GET", "/apis/v2beta1/healthz")
    assert kfp.paths() == ["/apis/v2beta1/healthz"]


# A host that is not there


def test_nobody_listens(submit):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{free.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(ApiError) as raised:
        submit(host=host)
    assert str(raised.value) == f"{host} cannot be reached: Connection refused"
    assert time.monotonic() - start < 20


def test_a_name_that_nobody_has(submit):
    with pytest.raises(ApiError, match=r"http://kfp\.invalid cannot be reached: "):
        submit(host="http://kfp.invalid")


def test_a_host_that_takes_calls_and_says_nothing(kfp, submit, monkeypatch):
    monkeypatch.setattr(connection, "_TIMEOUT", urllib3.Timeout(connect=1, read=0.1))
    kfp.hang = {"GET": 0.5}
    with pytest.raises(ApiError, match=r"gives no answer: none in 0\.1 seconds$"):
        submit()
    assert len(kfp.requests) == 1, "it is not asked again"


_LOOK = "; look there whether it was done all the same"


@pytest.mark.parametrize(
    ("error", "says", "doubt"),
    [
        (
            urllib3.exceptions.ConnectTimeoutError(None, "timed out"),
            "cannot be reached: no connection in 5 seconds",
            "",
        ),
        (
            urllib3.exceptions.ReadTimeoutError(None, "/", "timed out"),
            "gives no answer: none in 60 seconds",
            _LOOK,
        ),
        (urllib3.exceptions.ProtocolError("aborted"), "cannot be reached: aborted", _LOOK),
    ],
)
def test_after_a_request_that_was_sent_nobody_knows_whether_it_was_done(error, says, doubt):
    there = connection.Connection("http://kfp.example", None, None)

    def send(method, url, **_):
        raise urllib3.exceptions.MaxRetryError(None, url, error)

    there._send = send
    for method, told in (("GET", says), ("POST", says + doubt)):
        with pytest.raises(connection.UnavailableError) as raised:
            there.request(method, "/apis/v2beta1/runs")
        assert str(raised.value) == f"http://kfp.example {told}"


@pytest.mark.parametrize("status", [502, 503, 504])
def test_what_only_reads_is_asked_again_while_a_server_restarts(kfp, submit, monkeypatch, status):
    monkeypatch.setattr(connection, "_RETRIES", connection._RETRIES.new(backoff_factor=0.01))
    kfp.failures = [("GET", "/healthz", status, "starting")] * 3
    assert submit()[0] == 0
    kfp.failures = [("GET", "/healthz", status, "starting")] * 4
    with pytest.raises(ApiError, match=f"answers {status}: starting"):
        submit()
    kfp.failures = [("POST", "/runs", 503, "starting")]
    with pytest.raises(ApiError, match="answers 503: starting"):
        submit()  # a second run might be the result
    assert len(kfp.runs) == 1


def test_https_to_a_host_that_speaks_http(kfp, submit):
    with pytest.raises(ApiError, match=r"does not speak https: write http://$"):
        submit(host=kfp.host.replace("http:", "https:"))


def test_https_with_an_authority_of_ones_own(kfp, submit, tmp_path):
    key, cert = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    kfp.serve_tls(context)
    with pytest.raises(ApiError, match=r"cannot be trusted .* with --ca-cert"):
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


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (300, "", "sends us elsewhere (300), to a login page"),
        (400, b"no \xff", "answers 400: no \ufffd"),
        (400, None, "answers 400 reason"),
    ],
)
def test_an_answer_of_any_kind_is_told(status, body, says):
    error = connection.kfp_server_api.ApiException(status=status, reason="reason")
    error.body = body
    found = connection.Connection("http://localhost", None, None)._explain(error)
    assert str(found).startswith(f"http://localhost {says}")


def test_an_answer_whose_fields_are_of_another_kind_is_not_kubeflow_pipelines(kfp):
    kfp.failures = [("GET", "/experiments", 200, {"experiments": [], "total_size": "many"})]
    there = connection.Connection(kfp.host, None, None)
    with pytest.raises(connection.NotKfpError, match="answers, but not as Kubeflow Pipelines"):
        there.request("GET", "/apis/v2beta1/experiments", answer="V2beta1ListExperimentsResponse")


def test_a_failure_of_the_network_without_a_text_of_its_own_is_told_by_what_it_led_to():
    error = urllib3.exceptions.ProtocolError("aborted")
    error.__cause__ = OSError("no number")
    assert connection._unreachable(error) == "cannot be reached: aborted"
