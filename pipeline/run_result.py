"""How a run goes and ends: what the local runner and the rehearsal tell whoever watches."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from components.errors import Fault, fault_of
from components.gates import Gate, failed


class RunError(Exception):
    """A run that could not go on; the text is for its user."""

    @property
    def fault(self) -> Fault:
        """Whose fault it is: that of the error that it was raised from."""
        return fault_of(self.__cause__) if self.__cause__ else Fault.SURROUNDINGS


@dataclasses.dataclass(frozen=True)
class NodeReport:
    """How a node ended.

    Attributes:
        node_id: as in the pipeline.
        seconds: wall time.
        cached: whether an earlier run's outputs were taken.
        summary: what it did, in a few words; empty if there is nothing to tell.
    """

    node_id: str
    seconds: float
    cached: bool
    summary: str


@dataclasses.dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        gates: every answer of the DataGate, the Evaluator, the ServingGate and the Pusher.
        pushed_path: folder of the version that was pushed; empty if none was.
        already_served: name of the version that is this very model; empty if there is none.
    """

    gates: list[Gate]
    pushed_path: str
    already_served: str

    @property
    def succeeded(self) -> bool:
        """Whether no gate failed and the model is served."""
        return not failed(self.gates) and bool(self.pushed_path or self.already_served)


class Listener(Protocol):
    """Who watches a run."""

    def run_started(self, node_ids: Sequence[str]) -> None:
        """Called once, with the nodes in the order in which they will run."""

    def node_started(self, node_id: str) -> None:
        """Called before a node."""

    def noticed(self, text: str) -> None:
        """Called with what the user should know although the run goes on."""

    def node_finished(self, report: NodeReport) -> None:
        """Called after a node that did not fail."""
