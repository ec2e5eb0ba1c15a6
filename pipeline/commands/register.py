"""`graft register`."""

import os
from pathlib import Path

from components import destinations
from components.errors import UserError
from components.text import printable
from pipeline import registration
from pipeline.config import Recipe, load_recipe
from pipeline.console import make_console, say


def register_version(
    config: str,
    overrides: list[str],
    *,
    registry: str | None = None,
    version: str | None = None,
    name: str | None = None,
    uri: str | None = None,
    token_file: Path | None = None,
) -> None:
    """Notes a served version in a Kubeflow Model Registry, and says so.

    Args:
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        registry: address; None: the recipe's.
        version: its number; None: the one that is served.
        name: of the model; None: the recipe's.
        uri: of the version's folder; None: from `push.registry_uri`, or the path on this machine.
        token_file: file with the bearer token; None: the environment's.

    Raises:
        UserError: the recipe, an option or the version cannot be used.
        RegistryError: the registry does not answer, or refuses.
    """
    recipe = load_recipe(config, overrides)
    url = registry or recipe.push.registry
    if not url:
        raise UserError(
            "which model registry? Give its address with --registry, or set push.registry, as "
            "http://model-registry-service.kubeflow:8080"
        )
    token = _token(token_file)
    found = destinations.find_version(recipe.push_destination, version)
    facts = registration.facts_of(recipe.push_destination, found)
    place = uri or place_of(recipe, found.name)
    new = registration.register(url, token, name or recipe.name, found.name, place, facts)
    how = "registered" if new else "registered already"
    say(make_console(), f"{name or recipe.name}, version {found.name}: {how} at {url} as {place}")


def register_pushed(recipe: Recipe, pushed_path: str) -> str:
    """Notes what a run has just pushed, if the recipe says so; never fails.

    Args:
        recipe: that was run.
        pushed_path: folder of the new version.

    Returns:
        One line to show; empty if the recipe names no registry.
    """
    if not recipe.push.registry:
        return ""
    version = Path(pushed_path).name
    again = f"graft register makes up for it (--version {version})"
    try:
        found = destinations.find_version(recipe.push_destination, version)
        facts = registration.facts_of(recipe.push_destination, found)
        place = place_of(recipe, version)
        registration.register(
            recipe.push.registry, _token(None), recipe.name, version, place, facts
        )
    except Exception as error:  # it is served: too late to fail
        return f"Pushed, but not registered: {printable(str(error))}; {again}"
    return f"Registered at {recipe.push.registry} as {place}"


def place_of(recipe: Recipe, version: str) -> str:
    """URI of a version's folder, as the registry will name it."""
    base = recipe.push.registry_uri.rstrip("/") or destinations.absolute(recipe.push_destination)
    return f"{base}/{version}" if "://" in base else (Path(base) / version).as_uri()


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(registration.TOKEN_VARIABLE) or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"--token-file {file}: {getattr(error, 'strerror', None) or error}"
        ) from None
