"""Notes a served version, with its findings and its origin, in a Kubeflow Model Registry."""

import asyncio
import logging
import warnings
from collections.abc import Coroutine
from typing import Any

from components import destinations
from components.classes import CLASSES_FILE, read_classes
from components.errors import UserError
from components.served_versions import Version
from pipeline.evidence import read_evidence

TOKEN_VARIABLE = "MODEL_REGISTRY_TOKEN"  # noqa: S105 (a name)
FORMAT = ("tensorflow", "2")
"""Name and version of the models' format, as KServe's runtimes call it."""

_AUTHOR = "graft"
# Seconds, for one request: the client itself would wait five minutes.
_TIMEOUT_S = 30
# What a registry shows beside a model; a recipe in full does not belong there.
_ORIGINS = ("inputs", "code", "libraries", "versions", "git")

Facts = dict[str, str | int | float | bool]


class RegistryError(ConnectionError):
    """The registry did not answer, or refused; one line for the user."""


def facts_of(destination: destinations.Destination, version: Version) -> Facts:
    """What a version has left to be known by: its digest, classes, gates and origin.

    Args:
        destination: where it lies.
        version: a served one.

    Returns:
        Properties by name, as `gate.accuracy` and `git.revision`.

    Raises:
        UserError: a file of it is damaged.
    """
    with destinations.open_version(destination, version, only=[CLASSES_FILE]) as copy:
        facts: Facts = {"classes": ", ".join(read_classes(copy.path))}
    evidence = read_evidence(destination, version.name)
    if evidence.record:
        facts |= {
            "digest": evidence.record.digest,
            "pushed_at": evidence.record.pushed_at.isoformat(),
        }
    for gate in evidence.gates:
        facts[f"gate.{gate.name}"] = f"{gate.verdict}: {gate.message}"
        if gate.value is not None:
            facts[f"value.{gate.name}"] = float(gate.value)
    for key in _ORIGINS:
        facts |= _flat(key, evidence.provenance.get(key))
    return facts


def register(
    url: str, token: str | None, name: str, version: str, place: str, facts: Facts
) -> bool:
    """Notes a version in the registry, if it is not there yet.

    Args:
        url: http or https address of the registry.
        token: bearer token; None: none.
        name: of the model.
        version: its number.
        place: URI from which servers load it.
        facts: properties of the version.

    Returns:
        Whether it is new there.

    Raises:
        UserError: the client is not installed, https without a token, or the registry has this
            version with another place.
        RegistryError: the registry does not answer, or refuses.
    """
    if not url.startswith(("http://", "https://")):
        raise UserError(f"model registry {url}: write an address that begins with http or https")
    if url.startswith("https://") and not token:
        raise UserError(
            f"model registry {url}: it wants a token: give --token-file, or set {TOKEN_VARIABLE}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a token that is missing, which is said above
            import model_registry
    except ImportError:
        raise UserError(
            "the client of the model registry is not installed: install Graft's extra registry "
            "(pip install model-registry)"
        ) from None
    from aiohttp import ClientError
    from model_registry.exceptions import StoreError
    from mr_openapi.exceptions import OpenApiException

    logging.getLogger("model-registry").setLevel(logging.ERROR)  # of ports that are not 8080
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            registry = model_registry.ModelRegistry(
                url.rstrip("/"),
                author=_AUTHOR,
                user_token=token,
                is_secure=url.startswith("https://"),
                async_runner=_run,
                log_level=logging.ERROR,
            )
        return _note(registry, name, version, place, facts)
    except (ClientError, OpenApiException, StoreError, OSError, asyncio.TimeoutError) as error:
        raise RegistryError(f"model registry {url}: {_reason(error)}") from error


def _note(registry: Any, name: str, version: str, place: str, facts: Facts) -> bool:
    form = {"model_format_name": FORMAT[0], "model_format_version": FORMAT[1]}
    there = registry.get_registered_model(name) and registry.get_model_version(name, version)
    if not there:
        registry.register_model(name, place, version=version, metadata=facts, **form)
        return True
    artifact = registry.get_model_artifact(name, version)
    if artifact is None:
        # Left by a registration that was cut off; the client's public part cannot finish it.
        _run(registry._register_model_artifact(there, name, place, **form))
        return True
    if artifact.uri != place:
        raise UserError(
            f"the model registry has version {version} of {name} already, at {artifact.uri} and "
            f"not at {place}: register under another name (--name)"
        )
    return False


def _run(request: Coroutine) -> Any:
    return asyncio.run(asyncio.wait_for(request, _TIMEOUT_S))


def _reason(error: Exception) -> str:
    status = getattr(error, "status", None)
    if status in (401, 403):
        return f"it refuses the token ({status})"
    if status:
        return f"it answers {status} {getattr(error, 'reason', None) or ''}".rstrip()
    if isinstance(error, asyncio.TimeoutError):
        return f"no answer in {_TIMEOUT_S} seconds"
    return str(error) or type(error).__name__


def _flat(key: str, value: Any) -> Facts:
    """Nested values under names with dots in them; what is empty is left out."""
    if isinstance(value, dict):
        return {
            k: v for name, inner in value.items() for k, v in _flat(f"{key}.{name}", inner).items()
        }
    if isinstance(value, bool | int | float):
        return {key: value}
    return {key: str(value)} if value else {}
