"""Whether the served version is whole, so that it can be compared with."""

import dataclasses
from pathlib import Path

from google.protobuf.message import DecodeError

from components import served_versions
from components.classes import CLASSES_FILE
from components.errors import UserError
from components.served_versions import SAVED_MODEL_FILE, Version

_VARIABLES = "variables/variables.index"


def check_newest(destination: str) -> None:
    """Finds a newest version without a model: servers try to load it, and it cannot be compared.

    Raises:
        UserError: see above.
    """
    numbers = served_versions.version_numbers(destination)
    newest = Path(destination) / str(numbers[-1]) if numbers else None
    if newest and not (newest / SAVED_MODEL_FILE).is_file():
        raise UserError(_advice(newest, f"{SAVED_MODEL_FILE} is missing"))


def check_whole(version: Version, copy: Path) -> None:
    """Compares a version with the record of its push; of earlier releases' looks at the files.

    Args:
        version: that is served.
        copy: folder with its files.

    Raises:
        UserError: it is damaged; the text says what, where and what to do.
    """
    find = served_versions.find_change if version.record else _missing_part
    damage = find(dataclasses.replace(version, path=copy))
    if damage:
        raise UserError(_advice(version.path, damage))


def _missing_part(version: Version) -> str:
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        graphs = saved_model_pb2.SavedModel.FromString(
            (version.path / SAVED_MODEL_FILE).read_bytes()
        )
        if not graphs.meta_graphs:
            return f"{SAVED_MODEL_FILE} holds no graph"
    except DecodeError:
        return f"{SAVED_MODEL_FILE} cannot be read"
    for name in (_VARIABLES, CLASSES_FILE):
        if not (version.path / name).is_file():
            return f"{name} is missing"
    return ""


def _advice(folder: Path | str, damage: str) -> str:
    instead = "remove the folder, so that the version before it is served and compared with"
    if isinstance(folder, str):  # in a store it is not the highest number that is served
        instead = "serve an older one with `graft versions rollback`"
    return (
        f"the served version {folder} is damaged: {damage}. Nothing is pushed without a comparison "
        f"with it: restore it from a copy, or {instead}"
    )
