"""Which split a picture belongs to, from nothing but its own content."""

from components.example_gen.config import SplitSettings
from components.features import TEST, TRAIN, UNLABELLED, VALIDATION


def assign_split(
    image_id: str, given: str | None, available: frozenset[str], fractions: SplitSettings
) -> str:
    """The split of one picture; see `SplitSettings` for the rules.

    It depends on no other picture, so adding some never moves the rest, and copies of a picture
    stay together.

    Args:
        image_id: SHA-256 of the picture's bytes, 64 hexadecimal digits.
        given: The split that the source puts it in, or None.
        available: All splits that the source has; empty if it has none.
        fractions: Shares of the splits.

    Returns:
        `train`, `validation` or `test`; `unlabelled` where the source gives that.
    """
    if given == UNLABELLED:
        return given
    if given is None or available == {TRAIN}:
        draw = _uniform(image_id, 0)
        if draw < fractions.train:
            return TRAIN
        return VALIDATION if draw < fractions.train + fractions.validation else TEST
    if given == TRAIN and VALIDATION not in available:
        share = fractions.validation / (fractions.train + fractions.validation)
        return VALIDATION if _uniform(image_id, 1) < share else TRAIN
    if given == VALIDATION and TEST not in available:
        share = fractions.test / (fractions.validation + fractions.test)
        return TEST if _uniform(image_id, 2) < share else VALIDATION
    return given


def _uniform(image_id: str, draw: int) -> float:
    """A number in [0, 1) from the draw-th 64 bits of the id.

    Each decision has its own bits: a validation folder that an earlier split by the same bits made
    would otherwise not be cut in the shares asked for.
    """
    bits = int(image_id[16 * draw : 16 * (draw + 1)], 16)
    return (bits >> 11) / 2**53  # what a float holds exactly, so that it stays below 1
