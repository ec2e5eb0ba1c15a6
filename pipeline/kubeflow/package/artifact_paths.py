"""Where the backend's launcher keeps artifacts inside a step's container.

The launcher downloads every input artifact into a local folder before a step's command runs, and
uploads the outputs from such folders after it: `minio://bucket/key` lies at `/minio/bucket/key`.
TensorFlow and TFX can read none of `minio://` and `s3://` themselves.
"""

from components.errors import UserError

ROOT_VARIABLE = "GRAFT_LAUNCHER_ROOT"
"""Environment variable: folder below which the launcher's folders lie. Unset on a cluster, where
that is the container's root; `graft rehearse` sets it, so that each step has folders of its own."""

FOLDERS = {"minio://": "/minio/", "s3://": "/s3/", "gs://": "/gcs/"}


def local_path(uri: str, root: str = "") -> str:
    """Where the launcher puts an artifact.

    Args:
        uri: of the artifact, as `minio://mlpipeline/v2/artifacts/…`.
        root: folder below which the launcher's folders lie; empty: `/`.

    Raises:
        UserError: the launcher does not know the store.
    """
    for scheme, folder in FOLDERS.items():
        if uri.startswith(scheme):
            return f"{root}{folder}{uri.removeprefix(scheme)}"
    known = ", ".join(FOLDERS)
    raise UserError(f"artifact store of {uri}: the pipeline root must begin with one of {known}")


def check_pipeline_root(root: str) -> None:
    """Stops at a pipeline root that the pods of the steps could not share.

    Args:
        root: URI of the folder for a run's artifacts.

    Raises:
        UserError: it names no bucket of an object store that the launcher knows.
    """
    scheme, _, place = root.partition("://")
    if f"{scheme}://" not in FOLDERS or not place.strip("/"):
        right = ", ".join(f"{known}bucket/folder" for known in FOLDERS)
        raise UserError(
            f"--pipeline-root {root}: write the URI of a folder in an object store that every pod "
            f"reaches: {right}"
        )
