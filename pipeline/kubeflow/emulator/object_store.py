"""A folder that stands in for the artifact store, with what a store cannot keep left out."""

import shutil
from pathlib import Path

from pipeline.kubeflow.package.artifact_paths import local_path


class ObjectStore:
    """Files by key. As in a bucket there are no empty folders, no times, modes or links."""

    def __init__(self, folder: Path):
        """Makes the store.

        Args:
            folder: where the files lie, below a folder per kind of store.
        """
        self._folder = folder

    def path(self, uri: str) -> Path:
        """Where the files of an artifact lie.

        Raises:
            UserError: the launcher does not know the scheme.
        """
        return Path(local_path(uri, str(self._folder)))

    def upload(self, local: Path, uri: str) -> None:
        """Copies a file or folder into the store. What is not there is not copied."""
        _copy_files(local, self.path(uri))

    def download(self, uri: str, local: Path) -> None:
        """Copies an artifact out of the store; makes nothing where the store has no file of it."""
        _copy_files(self.path(uri), local)


def _copy_files(source: Path, target: Path) -> None:
    files = [source] if source.is_file() else source.rglob("*")
    for file in files:
        if file.is_file():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
