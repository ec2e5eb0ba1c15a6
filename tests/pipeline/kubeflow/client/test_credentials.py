import pytest

from components.errors import UserError
from pipeline.kubeflow.client import credentials


@pytest.mark.parametrize(
    ("host", "in_clear"),
    [
        ("http://kfp.example.com", True),
        ("http://10.0.0.7:8888", True),
        ("https://kfp.example.com", False),
        ("http://localhost:8888", False),
        ("http://127.0.0.1:8888", False),
        ("http://127.0.0.1.example.com", True),
        ("http://127.example.com", True),
        ("http://[::1]:8888", False),
        ("http://[fd00::7]:8888", True),
        ("http://ml-pipeline:8888", False),
        ("http://ml-pipeline.kubeflow.svc.cluster.local:8888", False),
        ("http://ml-pipeline.kubeflow.svc", False),
        ("http://evil.svc.example.com", True),
    ],
)
def test_whether_others_can_read_a_token(host, in_clear):
    assert credentials.crosses_network_in_clear(host) is in_clear


def test_a_pod_finds_the_service(monkeypatch):
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert credentials.find_host(None) == "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "https://kfp.example.com/pipeline/")
    assert credentials.find_host(None) == "https://kfp.example.com/pipeline"
    assert credentials.find_host("http://localhost:1/") == "http://localhost:1"


@pytest.mark.parametrize("user", ["s3cr3t@", "me:s3cr3t@", ":s3cr3t@"])
def test_an_address_with_a_user_or_a_password_is_refused_and_not_repeated(user):
    with pytest.raises(UserError, match="without user and password") as error:
        credentials.find_host(f"https://{user}kfp.example.com")
    assert "s3cr3t" not in str(error.value)


@pytest.mark.parametrize("page", ["/#/runs", "#/runs", "?ns=me", "/?ns=me#/runs"])
def test_of_the_address_of_a_page_it_is_told_what_to_keep(page):
    with pytest.raises(UserError, match=r" leave out what follows https://kfp\.example/pipeline$"):
        credentials.find_host(f"https://kfp.example/pipeline{page}")


def test_the_variable_is_named_when_it_is_wrong(monkeypatch):
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "kfp.example.com")
    with pytest.raises(ValueError, match=r"^KF_PIPELINES_ENDPOINT kfp\.example\.com: write"):
        credentials.find_host(None)
    monkeypatch.setenv("KFP_TOKEN", "two words")
    with pytest.raises(ValueError, match=r"^KFP_TOKEN holds more than one word"):
        credentials.find_token(None)


def test_a_token_file_that_cannot_be_read_is_told_at_once(tmp_path):
    with pytest.raises(UserError, match=rf"^token file {tmp_path}/nowhere: No such file"):
        credentials.find_token(tmp_path / "nowhere")
    (tmp_path / "picture").write_bytes(b"\xff\xd8s3cr3t")
    with pytest.raises(UserError, match=rf"^token file {tmp_path}/picture: not text$"):
        credentials.find_token(tmp_path / "picture")


@pytest.mark.parametrize("variable", [None, ""])
def test_a_variable_that_is_empty_is_as_if_it_were_not_there(monkeypatch, tmp_path, variable):
    mounted = tmp_path / "mounted"
    monkeypatch.setattr(credentials, "_MOUNTED_TOKEN", str(mounted))
    for name in ("KF_PIPELINES_SA_TOKEN_PATH", "KFP_TOKEN"):
        monkeypatch.setenv(name, variable or "")
        if variable is None:
            monkeypatch.delenv(name)
    assert credentials.find_token(None) is None
    mounted.write_text("t\n")
    assert credentials.find_token(None)() == "t"
