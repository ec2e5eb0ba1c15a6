import datetime
import types

from pipeline.kubeflow.client.run_status import State, read_status

_UTC = datetime.timezone.utc
_START = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=_UTC)
_LATER = _START + datetime.timedelta(seconds=90)
_YEAR_1, _1970 = datetime.datetime(1, 1, 1, tzinfo=_UTC), datetime.datetime(1970, 1, 1, tzinfo=_UTC)


def node(name, state, start=_START, end=_YEAR_1, error=None, history=()):
    return types.SimpleNamespace(
        display_name=name,
        state=state,
        start_time=start,
        end_time=end,
        error=error,
        state_history=history,
        child_tasks=None,
    )


def run(*nodes, state="RUNNING", **fields):
    details = types.SimpleNamespace(task_details=list(nodes)) if nodes else None
    fields = {"error": None, "state_history": None, **fields}
    return types.SimpleNamespace(state=state, run_details=details, **fields)


def states(*nodes, state="RUNNING"):
    return [step.state for step in read_status(run(*nodes, state=state), ["A", "B"]).steps]


def test_a_step_waits_starts_runs_and_ends():
    assert states(state=None) == [State.WAITING, State.WAITING]
    assert states(node("A-driver", "RUNNING")) == [State.STARTING, State.WAITING]
    assert states(node("A-driver", "SUCCEEDED")) == [State.STARTING, State.WAITING]
    driven = node("A-driver", "SUCCEEDED")
    assert states(driven, node("A", "PENDING"))[0] is State.STARTING
    assert states(driven, node("A", "RUNNING"))[0] is State.RUNNING
    assert states(driven, node("A", "SUCCEEDED"))[0] is State.SUCCEEDED
    assert states(driven, node("A", "PAUSED"))[0] is State.RUNNING
    assert states(driven, node("A", "SKIPPED"))[0] is State.SKIPPED
    assert states(driven, node("A", "CANCELED"))[0] is State.CANCELED
    for state, begun in (("PENDING", True), (None, False), ("SKIPPED", False)):
        expected = State.STARTING if begun else State.WAITING
        assert states(node("A-driver", state))[0] is expected


def test_what_comes_after_a_failure_is_skipped_once_the_run_has_ended():
    nodes = (node("A-driver", "SUCCEEDED"), node("A", "FAILED", end=_LATER))
    left_out = node("B-driver", "RUNTIME_STATE_UNSPECIFIED"), node("B", "RUNTIME_STATE_UNSPECIFIED")
    assert states(*nodes, *left_out) == [State.FAILED, State.WAITING]
    assert states(*nodes, *left_out, state="FAILED") == [State.FAILED, State.SKIPPED]
    assert states(*nodes, state="FAILED") == [State.FAILED, State.SKIPPED]


def test_a_failed_driver_is_a_failed_step():
    status = read_status(run(node("A-driver", "FAILED", end=_LATER), state="FAILED"), ["A"])
    (step,) = status.failed_steps
    assert step.driver_failed and step.seconds(_LATER + (_LATER - _START)) == 90


def test_times_that_are_not_set_are_none():
    for unset in (_YEAR_1, _1970, None):
        (step,) = read_status(run(node("A", "RUNNING", end=unset)), ["A"]).steps
        assert step.ended is None and step.seconds(_LATER) == 90
        (step,) = read_status(run(node("A", "RUNNING", start=unset)), ["A"]).steps
        assert step.seconds(_LATER) is None
    (step,) = read_status(run(node("A", "RUNNING", end=_LATER)), ["A"]).steps
    assert step.ended is None, "what runs has not ended"
    (step,) = read_status(run(node("A", "RUNNING", start=_LATER)), ["A"]).steps
    assert step.seconds(_START) == 0, "the server's clock is ahead"


def test_the_earliest_failure_comes_first_and_brings_what_is_said_of_it():
    error = types.SimpleNamespace(message="out of\n  memory")
    before = types.SimpleNamespace(message="evicted")
    past = [types.SimpleNamespace(error=one) for one in (before, error, None)]
    status = read_status(
        run(
            node("A", "FAILED", end=_LATER),
            node("B", "FAILED", end=_START, history=past),
            node("C", "SUCCEEDED", end=_START),
            state="FAILED",
            error=types.SimpleNamespace(message="child failed"),
        ),
        ["A", "B", "C"],
    )
    assert [(s.name, s.message) for s in status.failed_steps] == [("B", "out of memory"), ("A", "")]
    assert status.message == "child failed"


def test_failures_whose_times_nobody_knows_are_told_in_the_packages_order():
    nodes = (node(name, "FAILED", start=None, end=None) for name in "BA")
    status = read_status(run(*nodes, state="FAILED"), ["A", "B"])
    assert [step.name for step in status.failed_steps] == ["A", "B"]


def test_an_error_that_says_nothing_gives_way_to_what_was_said_before():
    silent = types.SimpleNamespace(message="")
    past = [types.SimpleNamespace(error=types.SimpleNamespace(message="evicted"))]
    for error in (None, silent):
        failed = node("A", "FAILED", error=error, history=past)
        (step,) = read_status(run(failed, state="FAILED"), ["A"]).steps
        assert step.message == "evicted"
    (step,) = read_status(run(node("A", "FAILED", error=silent, history=None)), ["A"]).steps
    assert step.message == ""


def test_how_a_run_ends():
    ends = {s: read_status(run(state=s), []) for s in ("RUNNING", "CANCELING", "PAUSED", None)}
    assert not any(status.ended for status in ends.values())
    assert [status.state for status in ends.values()] == ["RUNNING", "CANCELING", "PAUSED", ""]
    ends = {
        s: read_status(run(state=s), []) for s in ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")
    }
    assert all(status.ended for status in ends.values())
    assert [status.succeeded for status in ends.values()] == [True, True, False, False]
