"""Where the teacher of a distillation lies and what it knows, told without loading it."""

from collections.abc import Sequence
from pathlib import Path

from components import served_versions
from components.classes import CLASSES_FILE, read_classes
from components.errors import UserError
from components.fingerprints import files_fingerprint
from components.text import did_you_mean, one_line
from components.trainer.settings.distillation import DistillationSettings


def teacher_folder(settings: DistillationSettings) -> Path:
    """The SavedModel that teaches: the folder itself, or the served version in it.

    Raises:
        UserError: there is none.
    """
    folder = Path(settings.teacher)
    if (folder / served_versions.SAVED_MODEL_FILE).is_file():
        return folder
    version = served_versions.champion(folder) if folder.is_dir() else None
    if version is None:
        what = "holds no" if folder.is_dir() else "is no folder that could hold a"
        raise UserError(
            f"distillation.teacher: {folder} {what} {served_versions.SAVED_MODEL_FILE}, nor served "
            "versions of a model"
        )
    return version.path


def check_teacher(settings: DistillationSettings, classes: Sequence[str]) -> None:
    """Finds a teacher that is not there or does not know a class, before any work is done.

    Args:
        settings: names the teacher.
        classes: those of the student.

    Raises:
        UserError: see above.
    """
    folder = teacher_folder(settings)
    known = teacher_classes(settings, folder)
    for name in classes:
        if name not in known:
            raise UserError(
                f"distillation.teacher: {folder} does not know the class {name}"
                f"{did_you_mean(name, known)}. It knows {one_line(', '.join(known))}"
            )


def fingerprint(settings: DistillationSettings | None) -> str:
    """Fingerprint of the teacher's files; empty without a teacher."""
    return files_fingerprint(teacher_folder(settings)) if settings else ""


def teacher_classes(settings: DistillationSettings, folder: Path) -> list[str]:
    """Names of the teacher's classes, in the order of its outputs.

    Raises:
        UserError: neither the recipe nor the model names them.
    """
    if settings.classes:
        return list(settings.classes)
    try:
        return read_classes(folder)
    except ValueError as error:
        raise UserError(
            f"distillation.teacher: {folder} has no {CLASSES_FILE}: name its classes, in the order "
            "of its outputs, in distillation.classes"
        ) from error
