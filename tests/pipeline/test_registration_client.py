"""What the client of the Model Registry is told, and what is made of its errors."""

import asyncio
import sys

import pytest

from components.errors import UserError
from pipeline import registration

pytest.importorskip("model_registry", reason="skipped: the extra `registry` is not installed")


def test_no_answer_in_time_is_told():
    said = registration._reason(asyncio.TimeoutError())
    assert said == f"no answer in {registration._TIMEOUT_S} seconds"
    assert registration._reason(OSError("gone")) == "gone"
    assert registration._reason(ConnectionResetError()) == "ConnectionResetError"


def test_a_client_that_is_not_installed_is_the_users_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "model_registry", None)  # an import fails
    with pytest.raises(UserError, match=r"install Graft's extra registry \(pip install model-"):
        registration.register("http://registry", None, "x", "1", "s3://a", {})


def test_an_answer_without_a_reason_is_its_number():
    from mr_openapi.exceptions import ApiException

    assert registration._reason(ApiException(502)) == "it answers 502"


def test_a_store_that_the_client_finds_at_odds_is_told_as_the_registrys(monkeypatch):
    import model_registry
    from model_registry.exceptions import StoreError

    def client(*_, **__):
        raise StoreError("two models of one name")

    monkeypatch.setattr(model_registry, "ModelRegistry", client)
    says = "^model registry http://registry: two models of one name$"
    with pytest.raises(registration.RegistryError, match=says):
        registration.register("http://registry", None, "x", "1", "s3://a", {})


@pytest.mark.parametrize("address", ["http://registry:8080/", "https://registry"])
def test_the_client_is_told_whether_to_encrypt(monkeypatch, address):
    import model_registry

    told = []

    def client(url, **options):
        told.append((url, options["is_secure"], options["user_token"]))
        raise ConnectionError("down")

    monkeypatch.setattr(model_registry, "ModelRegistry", client)
    with pytest.raises(registration.RegistryError, match=f"{address}: down"):
        registration.register(address, "a token", "x", "1", "s3://a", {})
    assert told == [(address.rstrip("/"), address.startswith("https"), "a token")]
