"""Where a model comes from: what somebody needs to know who wants to make it again."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

from pipeline.code_digest import ALL, code_digest, library_versions
from pipeline.config import Recipe

_GIT_SECONDS = 10


def provenance(recipe: Recipe, inputs: dict[str, str], machine: dict[str, Any]) -> str:
    """Tells what a run is made of, as JSON.

    Args:
        recipe: what is run.
        inputs: fingerprints of what is read beside the recipe, by what it is; those that are not
            known yet are empty.
        machine: what `this_machine` says where the model is trained; empty if not known yet.

    Returns:
        An object with the keys `recipe` (in full, with all defaults), `inputs`, those of `machine`,
        and `git` (of the working directory: `revision` and `dirty`; None outside a repository).
    """
    facts = {
        "recipe": recipe.model_dump(mode="json"),
        "inputs": inputs,
        **machine,
        "git": _git(Path.cwd()),
    }
    return json.dumps(facts, indent=2)


def this_machine() -> dict[str, Any]:
    """What a model that is trained here is made with.

    Returns:
        By the keys `code` (SHA-256 of Graft's own), `libraries` (SHA-256 over their names and
        versions), `versions` (of Graft, TFX, TensorFlow and Python) and `processor` (its name:
        another one rounds differently).
    """
    libraries = library_versions()
    lines = "".join(f"{name}=={version}\n" for name, version in sorted(libraries.items()))
    return {
        "code": code_digest(*ALL, libraries={}),  # which are told apart
        "libraries": hashlib.sha256(lines.encode()).hexdigest(),
        "versions": {
            "graft": importlib.metadata.version("graft-pipeline"),
            "python": platform.python_version(),
            "tfx": libraries["tfx"],
            "tensorflow": libraries["tensorflow"],
        },
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _git(folder: Path) -> dict[str, Any] | None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=True, timeout=_GIT_SECONDS
        )
        return done.stdout.strip()

    try:
        return {
            "revision": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):  # no git, no repository, or no commit in it
        return None
