"""A digest of the code behind a node: Graft's own, and the versions of the libraries below it.

The cache key of a TFX node holds its execution properties and inputs, neither the code that an
import path leads to (tensorflow/tfx#2247) nor the versions of libraries. With the digest among the
properties, a node whose code has changed runs again.
"""

import ast
import functools
import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

from packaging.requirements import Requirement

PREPROCESSING = "components.transform.preprocessing"
TRAINING = "components.trainer.run_fn"
SERVING_CLIENT = "components.serving_gate.__main__"
ALL = ("pipeline.pipeline", PREPROCESSING, TRAINING, SERVING_CLIENT)
"""Where the code of a model and its gates begins: no import leads to the last three."""

_ROOT = Path(__file__).parents[1]
# Where Graft is installed, the libraries lie beside its packages; their versions stand for them.
_PACKAGES = ("components", "pipeline", "schemas")
_DISTRIBUTION = "graft-pipeline"
_EXTRAS = frozenset({"", "gpu"})
# What code reads beside itself: the weights of the built-in network.
_DATA = "*.npz"


def code_digest(
    *modules: str, root: Path = _ROOT, libraries: Mapping[str, str] | None = None
) -> str:
    """SHA-256 over what modules import of Graft, the data beside that, and library versions.

    Args:
        modules: where the node's code begins, as `components.trainer.run_fn`.
        root: the folder with `components/` and `pipeline/`.
        libraries: versions by name; None: of those that are installed.

    Returns:
        64 hexadecimal digits.
    """
    files = import_closure(*modules, root=root)
    rooms = {root.joinpath(*file.relative_to(root).parts[:2]) for file in files}
    data = {file for room in rooms for file in room.rglob(_DATA)}
    digest = hashlib.sha256()
    for file in sorted(files | data):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root).as_posix()}\0{content}\n".encode())
    installed = library_versions() if libraries is None else libraries
    for name, version in sorted(installed.items()):
        digest.update(f"{name}=={version}\n".encode())
    return digest.hexdigest()


def import_closure(*modules: str, root: Path = _ROOT) -> set[Path]:
    """Files of modules below a folder and of all that these import, directly or not.

    Imports inside functions count too. Code is read, never run.

    Args:
        modules: dotted names.
        root: the folder that the names start from; what is not of Graft is left out, also where
            it lies there too.
    """
    found: set[Path] = set()
    names, seen = list(modules), set()
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        file = _file_of(name, root)
        if file:
            found.add(file)
            names += _imports(file.read_bytes())
            names.append(name.rpartition(".")[0])  # importing a module runs its packages first
    return found


def _file_of(module: str, root: Path) -> Path | None:
    """The file of a module; None if it is not Graft's, or is a name inside a module."""
    if module.partition(".")[0] not in _PACKAGES:
        return None
    path = root.joinpath(*module.split("."))
    candidates = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@functools.cache
def _imports(source: bytes) -> list[str]:
    """Dotted names that a file imports; those of what it takes out of a module are among them."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


@functools.cache
def library_versions() -> dict[str, str]:
    """Installed versions of the libraries that Graft needs, and of those that they need."""
    versions: dict[str, str] = {}
    wanted, seen = [(_DISTRIBUTION, _EXTRAS)], set()
    while wanted:
        name, extras = wanted.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # for another system, or an extra
            continue
        versions[name] = distribution.version
        for requirement in map(Requirement, distribution.requires or ()):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
                needed = requirement.name.lower().replace("_", "-")
                wanted.append((needed, frozenset({"", *requirement.extras})))
    return versions
