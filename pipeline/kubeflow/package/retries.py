"""When a step that failed is tried again, in the arithmetic of the backend's workflow engine.

As Argo 3.4 to 4.1 reckon (`processNodeRetries` in `workflow/controller/operator.go`) with what the
backend writes from a task's `retryPolicy` (`argocompiler/container.go`): whole seconds, and what is
missing as 0.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """How often a step is tried again.

    Attributes:
        count: at most so many times.
        backoff_s: wait before the first of them, in seconds.
        factor: every further wait is longer by it.
        longest_s: seconds from the step's first start after which none is started.
    """

    count: int = 0
    backoff_s: int = 0
    factor: float = 0.0
    longest_s: int = 0

    @classmethod
    def of_task(cls, task: Mapping[str, Any]) -> "RetryPolicy":
        """Reads the `retryPolicy` of a task; one without is never retried."""
        policy = task.get("retryPolicy", {})
        return cls(
            int(policy.get("maxRetryCount", 0)),
            _seconds(policy.get("backoffDuration", "0s")),
            float(policy.get("backoffFactor", 0.0)),
            _seconds(policy.get("backoffMaxDuration", "0s")),
        )

    def wait_s(self, attempts: int, elapsed_s: float) -> float | None:
        """Seconds between the end of an attempt and the start of the next.

        Args:
            attempts: how many have ended, 1 or more.
            elapsed_s: seconds since the first was started.

        Returns:
            None if there is no next one.
        """
        wait = self.backoff_s * (self.factor ** (attempts - 1) if self.factor > 0 else 1)
        if attempts > self.count or elapsed_s + wait > self.longest_s:
            return None
        return wait


def _seconds(duration: str) -> int:
    """A duration in Proto3's JSON form; the backend drops fractions."""
    return int(float(duration.removesuffix("s")))
