"""What an image holds, as a CycloneDX document, read from the lock that it is built from.

    python3 tools/sbom.py requirements/image-cpu.txt > graft-cpu.cdx.json

The same lock gives the same bytes: there is no time in it, and its serial number is made of the
lock. Python's packages only: what the base image brings is for its own document.
"""

import hashlib
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

_GRAFT = "graft-pipeline"


def read_lock(text: str) -> dict[str, tuple[str, list[str]]]:
    """Version, and who needs it, of every package in a lock that uv wrote.

    Args:
        text: requirements with hashes and `# via` comments.

    Returns:
        By package; a package that nothing but Graft needs has Graft's name.

    Raises:
        ValueError: a line that is no requirement, option or comment of these.
    """
    packages: dict[str, tuple[str, list[str]]] = {}
    name = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.fullmatch(r"([a-z0-9-]+)==(\S+) \\", line):
            name = match[1]
            packages[name] = match[2], []
        elif match := re.fullmatch(r"    #(?: via|  ) ([a-z0-9-]+)(?: \(\S+\))?", line):
            packages[name][1].append(match[1])
        elif not re.match(r"    --hash=|#|\s*$|    # via$|    #   -c |    # via -c ", line):
            raise ValueError(f"line {number}: {line}")
    return packages


def make_sbom(lock: str, version: str) -> dict[str, Any]:
    """A CycloneDX 1.5 document.

    Args:
        lock: its text.
        version: of Graft.
    """
    packages = read_lock(lock)
    needs: dict[str, list[str]] = {name: [] for name in (_GRAFT, *packages)}
    for name, (_, users) in packages.items():
        for user in users:
            needs[user].append(name)
    refs = {name: f"pkg:pypi/{name}@{found}" for name, (found, _) in packages.items()}
    refs[_GRAFT] = f"pkg:pypi/{_GRAFT}@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": uuid.UUID(bytes=hashlib.sha256(lock.encode()).digest()[:16], version=4).urn,
        "version": 1,
        "metadata": {"component": _component("application", _GRAFT, version, refs[_GRAFT])},
        "components": [
            _component("library", name, found, refs[name]) for name, (found, _) in packages.items()
        ],
        "dependencies": [
            {"ref": refs[name], "dependsOn": sorted(refs[needed] for needed in needed_by)}
            for name, needed_by in sorted(needs.items())
        ],
    }


def _component(kind: str, name: str, version: str, ref: str) -> dict[str, str]:
    return {"type": kind, "name": name, "version": version, "purl": ref, "bom-ref": ref}


if __name__ == "__main__":
    project = Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8")
    (own_version,) = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    document = make_sbom(Path(sys.argv[1]).read_text("utf-8"), own_version)
    json.dump(document, sys.stdout, indent=1)
    print()
