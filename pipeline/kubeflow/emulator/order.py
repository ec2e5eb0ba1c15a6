"""Orders in which the steps of a package can run."""

import random
from collections.abc import Sequence

from pipeline.kubeflow.package.documents import Step


def shuffled(steps: Sequence[Step], seed: int) -> list[Step]:
    """One of the orders that a cluster, where branches run side by side, may take.

    Args:
        steps: of a package.
        seed: the same gives the same order.
    """
    draw = random.Random(seed)  # noqa: S311
    order, waiting = [], list(steps)
    while waiting:
        ended = {step.name for step in order}
        ready = [step for step in waiting if ended.issuperset(step.dependencies)]
        order.append(draw.choice(ready))
        waiting.remove(order[-1])
    return order
