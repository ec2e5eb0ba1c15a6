"""`graft runs`."""

from typing import Any

from rich.filesize import decimal
from rich.table import Column, Table

from components.manifests import file_sizes
from pipeline import run_history, run_lock
from pipeline.config import load_recipe
from pipeline.console import make_console, plain, say, say_json
from pipeline.gates_table import gates_table
from pipeline.run_history import NodeRecord, RunRecord


def list_runs(config: str, overrides: list[str], as_json: bool) -> None:
    """Prints the runs of a recipe, newest first, with what each alone keeps on the disk.

    Raises:
        UserError: the recipe cannot be used.
    """
    folder = load_recipe(config, overrides).folder.absolute()
    runs = run_history.list_runs(folder)[::-1]
    console = make_console()
    if as_json:
        say_json(console, [_as_json(run) for run in runs])
        return
    if not runs:
        say(console, f"{folder} holds no run yet")
        return
    table = Table("run", "ended", "nodes run", "size", title=plain(folder), title_justify="left")
    for run, size in zip(runs, _sizes(runs), strict=True):
        executed = sum(node.state == "run" for node in run.nodes)
        count = f"{executed} of {len(run.nodes)}"
        table.add_row(run.name[:19], plain(run.ended), count, decimal(size))
    console.print(table)


def show_run(config: str, overrides: list[str], name: str | None, as_json: bool) -> None:
    """Prints what the nodes of a run did and what its gates found.

    Raises:
        UserError: there is no such run.
    """
    run = run_history.find_run(load_recipe(config, overrides).folder.absolute(), name)
    console = make_console()
    if as_json:
        say_json(console, _as_json(run))
        return
    say(console, f"{run.name}: {run.ended}")
    table = Table("node", "", Column("seconds", justify="right"))
    for node in run.nodes:
        table.add_row(node.node_id, node.state, f"{node.seconds:.1f}")
    console.print(table)
    for node in run.nodes:
        if node.failure:
            say(console, f"{node.node_id}: {node.failure}")
    if gates := run.gates():
        console.print(gates_table(gates))


def prune_runs(config: str, overrides: list[str], keep: int) -> None:
    """Removes what only older runs need.

    Raises:
        UserError: no run would stay.
        BusyError: a run is under way.
    """
    folder = load_recipe(config, overrides).folder.absolute()
    console = make_console()
    if not folder.is_dir():
        say(console, f"{folder} holds no run yet")
        return
    with run_lock.hold(folder, wait=False):
        count, size = run_history.prune(folder, keep)
    say(console, f"{folder}: removed {count:,} artifact(s), {decimal(size)}; what is served stays")


def _sizes(runs: list[RunRecord]) -> list[int]:
    """Bytes of the artifacts of each run that no later one needs too, newest run first."""
    counted, sizes = set(), []
    for run in runs:
        own = set(run.artifacts.values()) - counted
        counted |= own
        sizes.append(sum(sum(file_sizes(path).values()) for path in own))
    return sizes


def _as_json(run: RunRecord) -> dict[str, Any]:
    return {
        "run": run.name,
        "started": run.started.isoformat(),
        "ended": run.ended,
        "version": run.version,
        "nodes": {n.node_id: _node_as_json(n) for n in run.nodes},
        "artifacts": {f"{node}.{key}": str(path) for (node, key), path in run.artifacts.items()},
        "gates": {gate.name: gate.verdict for gate in run.gates()},
    }


def _node_as_json(node: NodeRecord) -> dict[str, Any]:
    told = {"state": node.state, "seconds": node.seconds}
    return told | ({"failure": node.failure} if node.failure else {})
