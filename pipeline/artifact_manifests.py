"""Which files each published artifact had, so that a damaged one is made again and not believed.

ML Metadata knows an artifact's folder alone: TFX takes an output from the cache as long as the
folder is there. The manifests lie outside the artifacts, in which TFX refuses files of others:

<folder>/artifacts/Trainer/model/6/...       an artifact
<folder>/manifests/Trainer/model/6.json      the size of each of its files
"""

import json
from collections.abc import Iterable
from pathlib import Path

from components.files import write_atomically
from components.manifests import file_sizes, find_damage

ARTIFACTS = "artifacts"
MANIFESTS = "manifests"


def is_inside(folder: Path, uri: str) -> bool:
    """Whether an artifact lies in this folder, and not where that was moved or copied from.

    Args:
        folder: of the recipe, absolute.
        uri: folder of the artifact, as ML Metadata knows it.
    """
    return Path(uri).is_relative_to(folder / ARTIFACTS)


def write_missing(folder: Path, uris: Iterable[str]) -> None:
    """Notes the files of artifacts whose files have not been noted yet.

    Args:
        folder: of the recipe, absolute.
        uris: folders of the artifacts; those that lie elsewhere are not noted.
    """
    for uri in uris:
        if not is_inside(folder, uri) or (path := _manifest(folder, uri)).exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(file_sizes(uri)))


def noted(folder: Path, node_id: str) -> dict[Path, Path]:
    """The manifests of a node's artifacts that may be used again, by the folder of the artifact.

    Args:
        folder: of the recipe, absolute.
        node_id: as in the pipeline.
    """
    root = folder / MANIFESTS
    manifests = sorted((root / node_id).rglob("*.json"))
    return {folder / ARTIFACTS / one.relative_to(root).with_suffix(""): one for one in manifests}


def find_damaged(folder: Path, node_id: str) -> dict[str, str]:
    """The artifacts of a node that are not as they were published.

    Args:
        folder: of the recipe, absolute.
        node_id: as in the pipeline.

    Returns:
        What is wrong in a few words, by the folder of the artifact.
    """
    found = {str(one): _damage(one, manifest) for one, manifest in noted(folder, node_id).items()}
    return {artifact: damage for artifact, damage in found.items() if damage}


def is_whole(folder: Path, uri: str) -> bool:
    """Whether an artifact may be used again and is as it was published.

    Args:
        folder: of the recipe, absolute.
        uri: folder of the artifact.
    """
    if not is_inside(folder, uri):
        return False
    manifest = _manifest(folder, uri)
    return manifest.exists() and not _damage(Path(uri), manifest)


def forget(folder: Path, uri: str) -> None:
    """Removes the manifest of an artifact that is not to be used again."""
    _manifest(folder, uri).unlink(missing_ok=True)


def _damage(artifact: Path, manifest: Path) -> str:
    try:
        sizes = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return f"its manifest {manifest} cannot be read"
    return find_damage(artifact, sizes)


def _manifest(folder: Path, uri: str) -> Path:
    return (folder / MANIFESTS / Path(uri).relative_to(folder / ARTIFACTS)).with_suffix(".json")
