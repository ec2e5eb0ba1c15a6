"""How a run goes and ends: what both runners tell whoever watches."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from components.errors import Fault, fault_of
from components.gates import Gate


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
        figure: its main result in a few words.
    """

    node_id: str
    seconds: float
    cached: bool
    figure: str


@dataclasses.dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        gates: every threshold and check, passed or not.
        pushed_path: folder of the version that was pushed; empty if none was.
        already_served: name of the version that is this very model; empty if there is none.
    """

    gates: list[Gate]
    pushed_path: str
    already_served: str

    @property
    def passed(self) -> bool:
        """Whether every gate said yes."""
        return all(gate.passed for gate in self.gates)


class Listener(Protocol):
    """Who watches a run."""

    def run_started(self, node_ids: Sequence[str]) -> None:
        """Called once, with the nodes in the order in which they will run."""

    def node_started(self, node_id: str) -> None:
        """Called before a node."""

    def node_finished(self, report: NodeReport) -> None:
        """Called after a node that did not fail."""
