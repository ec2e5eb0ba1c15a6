"""What a run prints for programs: a JSON object per event, on a line of its own."""

import json
import math
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from components.destinations import place_of
from components.progress import Epoch
from components.progress import Progress as Step
from pipeline.run_result import NodeReport, RunResult

# How far a node is, is told no more often than that.
_SECONDS_BETWEEN_STEPS = 1.0


class RunEvents:
    """Prints what happens. A `Display`.

    Every object has `event` and `time` (ISO 8601, UTC). It is ASCII, and no number in it is NaN or
    infinite: those are null. `docs/programs.md` describes them all.
    """

    def __init__(self, console: Console):
        self._console = console
        self._node: str | None = None
        self._next_step = 0.0

    def __enter__(self) -> "RunEvents":
        return self

    def __exit__(self, *_) -> None:
        pass

    def say(self, text: str, style: str = "") -> None:
        """Event `message`."""
        del style
        self._print("message", text=text)

    def run_started(self, node_ids: Sequence[str]) -> None:
        """Event `run_started`."""
        self._print("run_started", nodes=list(node_ids))

    def node_started(self, node_id: str) -> None:
        """Event `node_started`."""
        self._node = node_id
        self._print("node_started", node=node_id)

    def step(self, step: Step) -> None:
        """Event `progress`, unless the last is not a second old."""
        now = time.monotonic()
        if now < self._next_step and step.done != step.total:
            return
        self._next_step = now + _SECONDS_BETWEEN_STEPS
        self._print(
            "progress",
            node=self._node,
            task=step.task,
            done=step.done,
            total=step.total,
            detail=step.detail,
            seconds_left=step.seconds_left,
        )

    def epoch(self, epoch: Epoch) -> None:
        """Event `epoch`."""
        counts = {"phase": epoch.phase, "epoch": epoch.number, "epochs": epoch.of}
        self._print("epoch", node=self._node, **counts, **epoch.figures)

    def noticed(self, text: str) -> None:
        """Event `notice`."""
        self._print("notice", text=text)

    def node_finished(self, report: NodeReport) -> None:
        """Event `node_finished`."""
        self._print(
            "node_finished",
            node=report.node_id,
            seconds=round(report.seconds, 3),
            cached=report.cached,
            summary=report.summary,
        )
        self._node = None

    def run_ended(self, result: RunResult, destination: Path | str) -> None:
        """Event `run_ended`."""
        served = result.already_served
        self._print(
            "run_ended",
            succeeded=result.succeeded,
            pushed=result.pushed_path or None,
            already_served=place_of(destination, served) if served else None,
            gates=[{"node": gate.node, **gate.as_row()} for gate in result.gates],
        )

    def run_failed(self, message: str) -> None:
        """Event `run_failed`."""
        self._print("run_failed", text=message)

    def _print(self, event: str, **fields: Any) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = json.dumps(_finite({"event": event, "time": now, **fields}), allow_nan=False)
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._console.file.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
