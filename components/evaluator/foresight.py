"""What the test split can prove, before anything is run."""

from collections.abc import Mapping

import numpy as np

from components.bounds import lower_bound, pictures_needed
from components.evaluator.absolute import chance_levels
from components.evaluator.config import EvaluationSettings


def foresee(settings: EvaluationSettings, counts: Mapping[str, int]) -> tuple[str, list[str]]:
    """Says what can be proved at best, and which thresholds cannot be kept or say nothing.

    Args:
        settings: the thresholds.
        counts: about how many pictures of each class the test split will have.

    Returns:
        A line for the user, and a line for each thing that will not go well.
    """
    total = sum(counts.values())
    best = lower_bound(total, total, settings.confidence)
    line = (
        f"Test split: about {total:,} pictures, which prove an accuracy of {best:.4f} at best "
        f"(confidence {settings.confidence:g})"
    )
    shares = {
        name: wanted
        for name, wanted in settings.thresholds.items()
        if name in ("accuracy", "top_k_accuracy")
    }
    of_hedges = {
        "label set coverage": settings.min_label_set_coverage,
        # At best the model is sure of all pictures.
        "accuracy when sure": settings.min_accuracy_when_sure,
        "share sure": settings.min_share_sure,
    }
    shares |= {name: wanted for name, wanted in of_hedges.items() if wanted is not None}
    for name, wanted in shares.items():
        needed = pictures_needed(wanted, settings.confidence)
        if needed:
            line += f"; {name} {wanted:g} needs {needed:,} faultless ones"
    notes = [
        f"{name} {wanted:g} cannot be proved with {_needs(wanted, settings, total)}"
        for name, wanted in shares.items()
        if best < wanted
    ]
    smallest = min(counts, key=counts.__getitem__)
    if wanted := settings.min_class_recall:
        few = counts[smallest]
        if lower_bound(few, few, settings.confidence) < wanted:
            text = _needs(wanted, settings, few)
            notes.append(f"a recall of {wanted:g} of {smallest} cannot be proved with {text}")
    if not counts[smallest]:
        notes.append(f"about no picture of {smallest} in the test split: nothing can be proved")
    levels = chance_levels(np.array(list(counts.values())), settings)
    notes += [
        f"{name} {wanted:g} is no more than what knowing nothing gets ({levels[name]:.4g})"
        for name, wanted in settings.thresholds.items()
        if wanted <= levels[name]
    ]
    return line, notes


def _needs(wanted: float, settings: EvaluationSettings, count: int) -> str:
    needed = pictures_needed(wanted, settings.confidence)
    if needed is None:
        return "any number of pictures"
    return f"about {count:,} test pictures: it needs {needed:,}"
