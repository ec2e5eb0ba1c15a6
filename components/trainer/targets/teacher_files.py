"""Where the teacher of a distillation lies and what it knows, told without loading it."""

import difflib
import pathlib
from collections.abc import Sequence

from components.classes import CLASSES_FILE, read_classes
from components.pusher import served
from components.trainer.distillation_config import DistillationSettings
from components.trainer.initial_weights import files_fingerprint


def teacher_folder(settings: DistillationSettings) -> pathlib.Path:
    """The SavedModel that teaches: the folder itself, or the served version in it.

    Raises:
        ValueError: there is none.
    """
    folder = pathlib.Path(settings.teacher)
    if (folder / served.SAVED_MODEL).is_file():
        return folder
    version = served.champion(folder) if folder.is_dir() else None
    if version is None:
        what = "holds no" if folder.is_dir() else "is no folder that could hold a"
        raise ValueError(
            f"distillation.teacher: {folder} {what} {served.SAVED_MODEL}, nor served versions of "
            "a model"
        )
    return version.path


def check_teacher(settings: DistillationSettings, classes: Sequence[str]) -> None:
    """Finds a teacher that is not there or does not know a class, before any work is done.

    Args:
        settings: names the teacher.
        classes: those of the student.

    Raises:
        ValueError: see above.
    """
    folder = teacher_folder(settings)
    known = teacher_classes(settings, folder)
    for name in classes:
        if name not in known:
            near = ", ".join(difflib.get_close_matches(name, known, n=3) or known[:3])
            raise ValueError(
                f"distillation.teacher: {folder} does not know the class {name}; it knows {near}"
            )


def fingerprint(settings: DistillationSettings | None) -> str:
    """Changes when the teacher's files do; empty without a teacher."""
    return files_fingerprint(teacher_folder(settings)) if settings else ""


def teacher_classes(settings: DistillationSettings, folder: pathlib.Path) -> list[str]:
    """Names of what a teacher tells apart, in the order of its outputs.

    Raises:
        ValueError: neither the recipe nor the model names them.
    """
    if settings.classes:
        return list(settings.classes)
    try:
        return read_classes(folder)
    except ValueError as error:
        raise ValueError(
            f"distillation.teacher: {folder} has no {CLASSES_FILE}: name its classes, in the order "
            "of its outputs, in distillation.classes"
        ) from error
