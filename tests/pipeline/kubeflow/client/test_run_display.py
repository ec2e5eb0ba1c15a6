import datetime
import io
import types

import pytest
from rich.console import Console

from pipeline.kubeflow.client.run_display import StepsDisplay, duration

_NOW = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.timezone.utc)


def run(seconds=75, ends="RUNNING", **states):
    start = _NOW - datetime.timedelta(seconds=seconds)
    nodes = [
        types.SimpleNamespace(
            display_name=name,
            state=state,
            start_time=start,
            end_time=None if state == "RUNNING" else _NOW,
            error=None,
            state_history=None,
        )
        for name, state in states.items()
    ]
    details = types.SimpleNamespace(task_details=nodes)
    return types.SimpleNamespace(state=ends, run_details=details, error=None)


def show(terminal, *happenings):
    out = io.StringIO()
    width = 100 if terminal else 10  # a line of a log is never broken
    console = Console(file=out, force_terminal=terminal, width=width, color_system=None)
    with StepsDisplay(console, ["Data", "Train"], now=lambda: _NOW) as display:
        for happening in happenings:
            if isinstance(happening, str):
                display.no_answer(happening)
            else:
                display.update(happening)
    return out.getvalue()


def test_a_terminal_shows_all_steps_in_a_table():
    table = show(True, run(Data="SUCCEEDED", Train="RUNNING"))
    assert "succeeded" in table and "running" in table and "1:15" in table
    assert "asking again" not in table
    assert "[x] is away; asking again" in show(True, run(Data="RUNNING"), "[x] is away")
    assert "asking again" not in show(True, "away", run(Data="RUNNING")).split("running")[-1]


def test_a_log_shows_what_changes_once():
    text = show(
        False,
        run(Data="RUNNING"),
        run(seconds=70, Data="RUNNING"),
        "[x] is away",
        "[x] is away",
        run(Data="SUCCEEDED", Train="RUNNING"),
    )
    assert text.splitlines() == [
        "● Data   running    1:15",
        "  [x] is away; asking again",
        "✓ Data   succeeded  1:15",
        "● Train  running    1:15",
    ]


def test_a_line_of_a_log_has_a_time_as_soon_as_a_step_has_begun_and_no_blanks_at_its_end():
    text = show(False, run(seconds=0, Data="RUNNING"), run(ends="FAILED", Data="FAILED"))
    assert text.splitlines() == [
        "● Data   running    0:00",
        "✗ Data   failed     1:15",
        "- Train  skipped",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_it_tells_whether_the_run_has_ended_however_it_did(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    display = StepsDisplay(console, ["Data"], now=lambda: _NOW)
    for state in ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"):
        assert display.update(run(ends=state, Data="FAILED")) is True
        assert display.status.state == state
    assert display.update(run(Data="FAILED")) is False


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.9, "0:00"), (61, "1:01"), (3599, "59:59"), (3600, "1:00:00"), (3723, "1:02:03")],
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown
