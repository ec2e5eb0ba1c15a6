"""Which epoch, and which phase, is the better one."""

from collections.abc import Mapping, Sequence


def rank(val_accuracy: float, val_loss: float) -> tuple[float, float]:
    """Orders epochs, and phases, from worse to better.

    Accuracy first: a network that fine-tunes goes on classifying better when its loss has begun to
    grow, because it gets surer of its few mistakes (Guo et al., "On Calibration of Modern Neural
    Networks", arXiv:1706.04599). Among equals the lower loss.
    """
    return val_accuracy, -val_loss


def ranks(history: Mapping[str, Sequence[float]]) -> list[tuple[float, float]]:
    """The rank of each epoch.

    With class weights it goes by the weighted accuracy: by the plain one, an epoch that overlooks a
    rare class would win, and undo what the weights are for.

    Args:
        history: values by metric, one float per epoch.
    """
    accuracy = history.get("val_weighted_accuracy", history["val_accuracy"])
    return [*map(rank, accuracy, history["val_loss"])]
