"""What a run prints for programs."""

import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from components.gates import Gate
from components.progress import Epoch, Progress
from pipeline import run_events
from pipeline.console import make_console
from pipeline.run_events import RunEvents
from pipeline.run_result import NodeReport, RunResult

HOSTILE = "[red]:cat: a\x1b[2Jb\u202ec <b>\"'\n"


def events(show, width=20) -> list[dict]:
    """The events of `show(display)`, without their times."""
    file = io.StringIO()
    # On a terminal they are the same, without colours.
    terminal = {"force_terminal": True, "color_system": "standard", "no_color": False}
    with RunEvents(make_console(file=file, width=width, **terminal)) as display:
        show(display)
    text = file.getvalue()
    assert text.isascii() and "\x1b" not in text
    found = [json.loads(line) for line in text.splitlines()]
    for event in found:
        assert datetime.fromisoformat(event.pop("time")).tzinfo
    return found


def test_a_run_is_an_object_per_event():
    def show(display):
        display.say("a title")
        display.run_started(["Trainer", "Pusher"])
        display.node_started("Trainer")
        display.epoch(Epoch("frozen", 1, 3, {"loss": 0.5, "val_loss": float("nan")}))
        display.noticed("look at this")
        display.node_finished(NodeReport("Trainer", 1.23456, False, "0.9"))
        display.run_failed("Trainer: no")

    assert events(show) == [
        {"event": "message", "text": "a title"},
        {"event": "run_started", "nodes": ["Trainer", "Pusher"]},
        {"event": "node_started", "node": "Trainer"},
        {"event": "epoch", "node": "Trainer", "phase": "frozen", "epoch": 1, "epochs": 3,
         "loss": 0.5, "val_loss": None},
        {"event": "notice", "text": "look at this"},
        {"event": "node_finished", "node": "Trainer", "seconds": 1.235, "cached": False,
         "summary": "0.9"},
        {"event": "run_failed", "text": "Trainer: no"},
    ]  # fmt: skip


def test_names_from_outside_are_in_it_as_they_are_and_steer_nothing():
    (event,) = events(lambda display: display.say(HOSTILE))
    assert event["text"] == HOSTILE


@pytest.mark.parametrize("start", [0.0, 1e6])
def test_how_far_a_node_is_comes_once_a_second_and_at_the_end(start, monkeypatch):
    now = start  # 0: the machine has just been switched on
    monkeypatch.setattr(run_events.time, "monotonic", lambda: now)

    def show(display):
        nonlocal now
        display.node_started("Trainer")
        for done in range(1, 9):
            display.step(Progress("frozen", done, 8, "loss 1", 3.5))
            now += 0.3

    found = events(show)
    assert [event["done"] for event in found[1:]] == [1, 5, 8]
    assert found[1] == {"event": "progress", "node": "Trainer", "task": "frozen", "done": 1,
                        "total": 8, "detail": "loss 1", "seconds_left": 3.5}  # fmt: skip


def test_the_end_tells_every_gate_with_who_asked():
    gate = Gate("accuracy", "fail", float("nan"), 0.9, "no", (0.1, 0.2), 7, node="Evaluator")
    pushed = RunResult([], "/served/3", "")
    refused = RunResult([gate], "", "2")

    def show(display):
        display.run_ended(pushed, Path("/served"))
        display.run_ended(refused, Path("/served"))

    assert events(show) == [
        {"event": "run_ended", "succeeded": True, "pushed": "/served/3", "already_served": None,
         "gates": []},
        {"event": "run_ended", "succeeded": False, "pushed": None, "already_served": "/served/2",
         "gates": [{"node": "Evaluator", "name": "accuracy", "verdict": "fail", "value": None,
                    "bound": 0.9, "message": "no", "interval": [0.1, 0.2], "pictures": 7}]},
    ]  # fmt: skip


def test_after_its_end_a_node_is_not_told_of_any_more():
    def show(display):
        display.node_started("Trainer")
        display.node_finished(NodeReport("Trainer", 1.0, False, ""))
        display.step(Progress("between two nodes", 1, 2))

    assert events(show)[-1]["node"] is None


def test_lists_hold_no_number_that_is_none_either():
    gate = Gate("accuracy", "fail", 0.5, 0.9, "no", (0.1, float("inf")), 7, node="Evaluator")
    (event,) = events(lambda display: display.run_ended(RunResult([gate], "", ""), Path("/x")))
    assert event["gates"][0]["interval"] == [0.1, None]


def test_a_program_gets_an_event_at_once_and_its_time_in_utc(tmp_path):
    with (tmp_path / "events").open("w") as file:
        RunEvents(make_console(file=file)).say("now")
        event = json.loads((tmp_path / "events").read_text())
    told = datetime.fromisoformat(event["time"])
    assert told.utcoffset() == timedelta(0) and told.tzinfo
