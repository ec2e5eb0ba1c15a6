"""A digest of the code behind an import path.

The cache key of a TFX node holds its execution properties and inputs, not the code that an import
path leads to (tensorflow/tfx#2247). With the digest among the properties, edited code runs again.
"""

import hashlib
from pathlib import Path

_COMPONENTS = Path(__file__).parents[1] / "components"


def code_digest(*packages: str, root: Path = _COMPONENTS) -> str:
    """SHA-256 over the files of some component packages and the leaves that all of them import.

    Args:
        packages: names of folders in `components/`.
        root: the folder `components/`.

    Returns:
        64 hexadecimal digits.
    """
    files = set(root.glob("*.py"))
    for package in packages:
        files.update(
            p for p in (root / package).rglob("*") if p.is_file() and "__pycache__" not in p.parts
        )
    digest = hashlib.sha256()
    for file in sorted(files):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()
