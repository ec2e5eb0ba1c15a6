"""Whether a model can be compared with the one that is served."""

import os

from components.classes import read_classes


def why_not_comparable(candidate: list[str], served: str | os.PathLike) -> str:
    """Says why a model cannot be compared with the served one.

    Args:
        candidate: class names of the model.
        served: folder of the served SavedModel.

    Returns:
        One line; empty if both know the same classes. The order does not matter: each model is
        scored with its own numbering.

    Raises:
        UserError: the served model carries no list of classes.
    """
    known = set(read_classes(served))
    if known == set(candidate):
        return ""
    new = ", ".join(sorted(set(candidate) - known)) or "none"
    gone = ", ".join(sorted(known - set(candidate))) or "none"
    return f"served model not compared, it knows other classes (new: {new}; gone: {gone})"


def column_order(candidate: str | os.PathLike, served: str | os.PathLike) -> list[int]:
    """By class of the model, its column in the probabilities of the served one.

    Args:
        candidate: folder of the SavedModel.
        served: folder of one that knows the same classes.
    """
    names = read_classes(served)
    return [names.index(name) for name in read_classes(candidate)]
