"""The class names that every exported model carries with it, and the order they are told in."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.errors import UserError
from components.files import write_atomically

# One name per line, in the order of the columns of `probabilities`. `assets.extra` is the
# SavedModel's place for files that the graph does not read.
CLASSES_FILE = "assets.extra/classes.txt"


def read_classes(saved_model: str | os.PathLike) -> list[str]:
    """Class names of a SavedModel, by column of its `probabilities`.

    Raises:
        UserError: the model carries no list of classes.
    """
    file = Path(saved_model) / CLASSES_FILE
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except FileNotFoundError as error:
        raise UserError(f"{file} is missing: not a model exported by Graft") from error


def write_classes(saved_model: str | os.PathLike, classes: Sequence[str]) -> None:
    """Writes the class names of a SavedModel, by column of its `probabilities`."""
    file = Path(saved_model) / CLASSES_FILE
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, "".join(f"{name}\n" for name in classes))


def lowest_recall_first(
    per_class: Mapping[str, Mapping[str, float]],
) -> list[tuple[str, Mapping[str, float]]]:
    """The classes of `Metrics.per_class`, those without pictures (a recall of NaN) at the end."""
    return sorted(
        per_class.items(), key=lambda one: (math.isnan(one[1]["recall"]), one[1]["recall"])
    )
