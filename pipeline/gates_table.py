"""The gates of a run as a table."""

import itertools
from collections.abc import Iterable, Sequence

from rich.table import Column, Table

from components.gates import Gate
from pipeline.console import plain

_MARKS = {"pass": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}


def gates_table(gates: Sequence[Gate], unfold: bool = True) -> Table:
    """The gates of a run with a mark for the verdict.

    Args:
        gates: in their order.
        unfold: a row each. Otherwise those that passed share a row, node by node.
    """
    finding = Column("finding", overflow="fold")
    table = Table("", "gate", finding, title="Gates", title_justify="left", title_style="bold")
    for gate in gates if unfold else _folded(gates):
        table.add_row(_MARKS[gate.verdict], plain(gate.name), plain(gate.message))
    return table


def _folded(gates: Iterable[Gate]) -> Iterable[Gate]:
    for node, of_node in itertools.groupby(gates, key=lambda gate: gate.node):
        rows = list(of_node)
        passed = [gate for gate in rows if gate.verdict == "pass"]
        if len(passed) > 1:
            names = ", ".join(gate.name for gate in passed)
            share = f"all {len(rows)}" if len(passed) == len(rows) else f"{len(passed)}"
            yield Gate(node or "gates", "pass", None, None, f"{share} passed: {names}")
            rows = [gate for gate in rows if gate.verdict != "pass"]
        yield from rows
