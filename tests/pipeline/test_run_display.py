"""What a run shows on a terminal, and without one."""

import io
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from components.gates import Gate
from components.progress import Epoch, Progress
from pipeline import node_ids
from pipeline.console import make_console, redirect_output
from pipeline.gates_table import _folded, gates_table
from pipeline.run_display import RunDisplay, epochs_table, time_left
from pipeline.run_result import NodeReport, RunResult

HOSTILE = "[red]:cat: a\x1b[2Jb\u202ec"


def shown(terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=120)
    with RunDisplay(console) as display:
        display.run_started(["ImageExampleGen", "DataGate", "Trainer"])
        for node_id, report in {
            "ImageExampleGen": NodeReport("ImageExampleGen", 0.01, True, ""),
            "DataGate": NodeReport("DataGate", 0.1, False, "9 of 9 checks passed"),
        }.items():
            display.node_started(node_id)
            display.node_finished(report)
        display.node_started("Trainer")
        figures = {"loss": 0.5, "accuracy": 0.25, "val_loss": float("nan"), "val_accuracy": 0.75}
        for number in range(1, 8):
            display.epoch(Epoch("frozen", number, 9, figures))
        display.step(Progress("frozen, epoch 8 of 9", 3, 4, "loss 0.5", 83.2))
        display._progress.refresh()  # as ten times a second
        display.step(Progress("unknown total", 7))
        display.node_finished(NodeReport("Trainer", 12.34, False, "accuracy [0.9]"))
    return file.getvalue()


def test_a_line_per_node_with_seconds_source_and_figure_below_its_group():
    lines = [line.rstrip() for line in shown(terminal=False).splitlines()]
    assert lines == [
        "Data",
        "  ImageExampleGen …",
        "✓ ImageExampleGen      0.0 s  cached",
        "  DataGate …",
        "✓ DataGate             0.1 s  run     9 of 9 checks passed",
        "Training",
        "  Trainer …",
        "✓ Trainer             12.3 s  run     accuracy [0.9]",
    ]


def test_on_a_terminal_the_bar_tells_the_step_and_the_time_left():
    text = shown(terminal=True)
    assert "frozen, epoch 8 of 9" in text and "loss 0.5, 0:01:24 left" in text


def test_on_a_terminal_the_last_epochs_stand_above_the_bar():
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown(terminal=True))
    (row,) = {line.strip() for line in text.splitlines() if "frozen 7 of 9" in line}
    assert row.split()[-4:] == ["0.5000", "0.2500", "nan", "0.7500"]
    assert "validation accuracy" in text and "frozen 3 of 9" in text
    assert "frozen 2 of 9" not in text, "of long trainings the last ones"


def test_the_epochs_go_with_their_node():
    file = io.StringIO()
    with RunDisplay(Console(file=file, force_terminal=True, width=120)) as display:
        display.run_started(["Trainer", "Evaluator"])
        display.node_started("Trainer")
        display.epoch(Epoch("frozen", 1, 9, {"loss": 0.5}))
        display.step(Progress("frozen, epoch 2 of 9", 1, 4))
        shown = len(file.getvalue())
        display.node_finished(NodeReport("Trainer", 1.0, False, ""))
        display.node_started("Evaluator")
        later = len(file.getvalue())
        display.step(Progress("asking", 1, 4))
        drawn = file.getvalue()
    assert "frozen 1 of 9" in drawn[:shown] and "Evaluator" in drawn[later:]
    assert "frozen 1 of 9" not in drawn[later:]


def test_every_node_has_a_group():
    grouped = [node_id for group in node_ids.GROUPS.values() for node_id in group]
    assert sorted(grouped) == sorted(node_ids.ALL)


def test_a_node_of_no_group_stands_below_the_last_one():
    file = io.StringIO()
    with RunDisplay(Console(file=file, width=120)) as display:
        for node_id in ("Trainer", "Probe", "Trainer"):
            display.node_started(node_id)
    assert file.getvalue().split() == ["Training", "Trainer", "…", "Probe", "…", "Trainer", "…"]


def test_without_colour_there_is_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    with RunDisplay(make_console(file=file, force_terminal=True, width=100)) as display:
        display.node_started("Trainer")
        display.step(Progress("frozen", 1, 4, "loss 0.5"))
        display.run_ended(RESULT, Path("served"))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", file.getvalue())
    assert "Not pushed." in file.getvalue()


RESULT = RunResult(
    [
        *[Gate(f"{name}-ness", "pass", 1, 1, f"{name} is fine", node="DataGate") for name in "ab"],
        Gate("accuracy", "pass", 1, 1, "the only one", node="Evaluator"),
        Gate("latency", "pass", 1, 1, "fast", node="ServingGate"),
        Gate("process", "fail", None, None, "crashed", node="ServingGate"),
        Gate("load", "pass", 1, 1, "quick", node="ServingGate"),
        Gate("not proved worse", "warn", None, -0.01, "not compared", node="Pusher"),
    ],
    pushed_path="",
    already_served="",
)


def rows(unfold: bool) -> list[list[str]]:
    file = io.StringIO()
    RunDisplay(Console(file=file, width=80), unfold).run_ended(RESULT, Path("served"))
    lines = file.getvalue().splitlines()
    assert lines[0].rstrip() == "Gates"
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "│ " in line]


def test_what_passed_in_one_node_is_one_row():
    assert rows(unfold=False) == [
        ["✓", "DataGate", "all 2 passed: a-ness, b-ness"],
        ["✓", "accuracy", "the only one"],
        ["✓", "ServingGate", "2 passed: latency, load"],
        ["✗", "process", "crashed"],
        ["!", "not proved worse", "not compared"],
    ]


def test_unfolded_every_gate_has_its_row():
    assert [row[:2] for row in rows(unfold=True)] == [
        ["✓", "a-ness"],
        ["✓", "b-ness"],
        ["✓", "accuracy"],
        ["✓", "latency"],
        ["✗", "process"],
        ["✓", "load"],
        ["!", "not proved worse"],
    ]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (RunResult([], "served/3", ""), "Pushed to served/3"),
        (RunResult([], "", "2"), "Served already as served/2"),
        (RunResult([], "", ""), "Not pushed. What served serves is as it was."),
    ],
)
@pytest.mark.parametrize("width", [80, 12])
def test_the_last_line_says_what_is_served_however_long_it_is(result, says, width):
    file = io.StringIO()
    RunDisplay(Console(file=file, width=width)).run_ended(result, Path("served"))
    assert file.getvalue().splitlines()[-1] == says


def test_noise_inside_a_node_does_not_reach_the_terminal_through_the_bar(tmp_path):
    terminal = io.StringIO()
    with (
        redirect_output(tmp_path / "run.log"),
        RunDisplay(Console(file=terminal, force_terminal=True)),
    ):
        print("a warning", file=sys.stderr)
        print("a remark")
    for noise in ("a warning", "a remark"):
        assert noise in (tmp_path / "run.log").read_text()
        assert noise not in terminal.getvalue()


def test_when_it_ends_what_moves_is_wiped_away_and_the_cursor_is_back():
    file = io.StringIO()
    with RunDisplay(Console(file=file, force_terminal=True, width=120)) as display:
        display.node_started("Trainer")
        display.step(Progress("frozen", 1, 4))
    hidden, shown, erased = "\x1b[?25l", "\x1b[?25h", "\x1b[2K"
    text = file.getvalue()
    assert text.count(hidden) == text.count(shown) == 1
    end = text.partition(shown)[2]
    assert end.count(erased) == 2 and "frozen" not in end, "both of its lines"


def test_what_a_node_tells_is_printable_too():
    file = io.StringIO()
    with RunDisplay(make_console(file=file, width=120)) as display:
        display.run_started(["Trainer"])
        display.node_started("Trainer")
        display.node_finished(NodeReport("Trainer", 1.0, False, HOSTILE))
        display.say(HOSTILE)
        display.noticed(HOSTILE)
        display.run_failed(HOSTILE)
        gate = Gate(HOSTILE, "pass", 1, 1, HOSTILE, node=HOSTILE)
        display.run_ended(RunResult([gate] * 2, HOSTILE, ""), Path(HOSTILE))
    assert "\x1b" not in file.getvalue() and "\u202e" not in file.getvalue()
    assert "[red]:cat:" in file.getvalue()


def test_names_of_steps_and_phases_are_printable_on_a_terminal_too():
    file = io.StringIO()
    with RunDisplay(make_console(file=file, force_terminal=True, width=120)) as display:
        display.node_started("Trainer")
        display.epoch(Epoch(HOSTILE, 1, 2, {"loss": 1.0}))
        display.step(Progress(HOSTILE, 1, 2, HOSTILE))
        display._progress.refresh()  # as ten times a second
    shown = file.getvalue()
    assert "\x1b[2Jb" not in shown and "\u202e" not in shown and "[red]:cat:" in shown


@pytest.mark.parametrize(
    ("seconds", "says"), [(0.0, "0:00:00"), (0.2, "0:00:01"), (83.0, "0:01:23"), (83.2, "0:01:24")]
)
def test_the_time_left_is_rounded_up(seconds, says):
    assert time_left(seconds) == says


def test_each_step_of_a_node_has_one_bar_which_goes_with_it():
    display = RunDisplay(Console(file=io.StringIO(), force_terminal=True, width=120))
    display.run_started(["Trainer"])
    display.node_started("Trainer")

    def bars() -> list[tuple]:
        tasks = display._progress.tasks
        return [(t.description, t.completed, t.total, t.fields["detail"]) for t in tasks[1:]]

    display.step(Progress("frozen", 1, 4))
    begun = display._progress.tasks[1]
    display.step(Progress("frozen", 3, 4, "loss 1", 0.0))
    assert bars() == [("frozen", 3, 4, "loss 1, 0:00:00 left")]
    assert display._progress.tasks[1] is begun, "and its time goes on"
    assert display._progress.tasks[0].total is None, "nobody knows how long a node takes"
    display.step(Progress("unfrozen", 1, 8))
    assert bars() == [("unfrozen", 1, 8, "")]
    display.node_finished(NodeReport("Trainer", 1.0, False, ""))
    assert display._progress.tasks == []


def test_a_figure_that_one_epoch_has_is_a_column_for_all():
    table = epochs_table(
        [Epoch("frozen", 1, 3, {"loss": 0.5}), Epoch("frozen", 2, 3, {"loss": 0.25, "val_loss": 1})]
    )
    file = io.StringIO()
    Console(file=file, width=80).print(table)
    assert [line.split() for line in file.getvalue().splitlines()] == [
        ["epoch", "loss", "validation", "loss"],
        ["frozen", "1", "of", "3", "0.5000", "nan"],
        ["frozen", "2", "of", "3", "0.2500", "1.0000"],
    ]


def test_gates_of_nobody_have_a_name_too():
    gates = [Gate(name, "pass", 1, 1, "fine") for name in "ab"]
    file = io.StringIO()
    Console(file=file, width=80).print(gates_table(gates, unfold=False))
    assert (
        "gates" in file.getvalue().split("finding")[1] and "all 2 passed: a, b" in file.getvalue()
    )
    file = io.StringIO()
    Console(file=file, width=80).print(gates_table(gates))
    assert "passed" not in file.getvalue(), "unless asked, every gate has its row"


def test_a_word_that_is_longer_than_its_column_is_there_to_its_end():
    file = io.StringIO()
    gates = [Gate("files", "pass", 1, 1, f"({'x' * 60})")]
    Console(file=file, width=40).print(gates_table(gates))
    assert file.getvalue().count("x") == 60 and ")" in file.getvalue()


def test_what_nodes_did_stands_in_one_column_whichever_has_the_longest_name():
    file = io.StringIO()
    display = RunDisplay(Console(file=file, width=80))
    nodes = ["Pusher", "BaselineFinder", "Trainer"]
    display.run_started(nodes)
    for node_id in nodes:
        display.node_started(node_id)
        display.node_finished(NodeReport(node_id, 1.0, False, ""))
    ends = [line.index(" s  run") for line in file.getvalue().splitlines() if "✓" in line]
    assert len(ends) == 3 and len(set(ends)) == 1


def test_of_gates_that_share_a_row_the_others_keep_theirs():
    verdicts = ["pass", "warn", "pass", "fail"]
    gates = [Gate(f"{verdict}{n}", verdict, 1, 1, "") for n, verdict in enumerate(verdicts)]
    assert [(gate.verdict, gate.name, gate.message) for gate in _folded(gates)] == [
        ("pass", "gates", "2 passed: pass0, pass2"),
        ("warn", "warn1", ""),
        ("fail", "fail3", ""),
    ]


def test_what_is_noticed_and_what_failed_have_lines_of_their_own():
    file = io.StringIO()
    display = RunDisplay(Console(file=file, width=20))
    display.say("digits on mobilenet_v2 at 64 px")
    display.noticed("the database was damaged")
    display.run_failed("Trainer: the loss is nan")
    assert file.getvalue() == (
        "digits on mobilenet_v2 at 64 px\n! the database was damaged\n✗ Trainer: the loss is nan\n"
    )


def test_colour_is_for_what_counts_alone():
    file = io.StringIO()
    console = make_console(
        file=file, force_terminal=True, color_system="standard", no_color=False, width=40
    )
    display = RunDisplay(console)
    display.run_started(["Trainer"])
    display.node_started("Trainer")
    file.seek(0)
    file.truncate()
    display.say("Log: 7.log", style="dim")
    display.noticed("7 is damaged")
    display.node_finished(NodeReport("Trainer", 1.0, False, "accuracy 0.9 of 'digits' in 3 phases"))
    display.run_failed("Trainer: 7")
    assert file.getvalue().splitlines() == [
        "\x1b[2mLog: 7.log\x1b[0m",
        "\x1b[33m! 7 is damaged\x1b[0m",
        "\x1b[32m✓\x1b[0m Trainer      1.0 s  run     accuracy 0.9 of 'digits' in 3 phases",
        "\x1b[31m✗ Trainer: 7\x1b[0m",
    ]
    display.run_ended(RunResult([], "served/3", ""), Path("served"))
    assert file.getvalue().splitlines()[-1] == "\x1b[32mPushed\x1b[0m to served/3"
