"""A folder that stands in for the artifact store, with what a store cannot keep left out."""

import pathlib
import shutil

from pipeline.kubeflow.artifact_paths import local_path


class ObjectStore:
    """Files by key. As in a bucket there are no empty folders, no times, modes or links."""

    def __init__(self, folder: pathlib.Path):
        """Makes the store.

        Args:
            folder: where the files lie, below a folder per kind of store.
        """
        self._folder = folder

    def path(self, uri: str) -> pathlib.Path:
        """Where the files of an artifact lie.

        Raises:
            ValueError: the launcher does not know the scheme.
        """
        return pathlib.Path(local_path(uri, str(self._folder)))

    def upload(self, local: pathlib.Path, uri: str) -> None:
        """Copies a file or folder into the store. What is not there is not copied."""
        _copy_files(local, self.path(uri))

    def download(self, uri: str, local: pathlib.Path) -> None:
        """Copies an artifact out of the store; makes nothing where the store has no file of it."""
        _copy_files(self.path(uri), local)


def _copy_files(source: pathlib.Path, target: pathlib.Path) -> None:
    files = [source] if source.is_file() else source.rglob("*")
    for file in files:
        if file.is_file():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
