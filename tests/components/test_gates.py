"""The rows of a gate and their file."""

import json

import pytest

from components.gates import GATES_FILE, Gate, failed, read_gates, verdict, worst, write_gates

ROWS = [
    Gate("accuracy", "pass", 0.9, 0.8, "0.9000, at least 0.8 wanted"),
    Gate("not proved worse", "warn", None, -0.01, "no served model: not compared"),
    Gate("process", "fail", None, None, "“crashed”"),
]


def test_rows_are_read_as_they_were_written_and_nothing_else_is_left(tmp_path):
    write_gates(tmp_path, ROWS)
    assert read_gates(tmp_path) == ROWS
    assert [path.name for path in tmp_path.iterdir()] == [GATES_FILE]


def test_rows_of_before_there_were_bounds_on_what_is_proved_are_read(tmp_path):
    row = {"name": "accuracy", "verdict": "pass", "value": 0.9, "bound": 0.8, "message": ""}
    (tmp_path / GATES_FILE).write_text(json.dumps([row]))
    assert read_gates(tmp_path) == [Gate(**row)]


def test_only_a_fail_forbids_serving():
    assert failed(ROWS) == ROWS[2:]
    assert failed(ROWS[:2]) == []


def test_a_verdict_of_another_name_is_a_bug():
    assert [verdict(True), verdict(False)] == ["pass", "fail"]
    with pytest.raises(AssertionError):
        Gate("accuracy", True, 0.9, 0.8, "")


def test_a_gate_that_did_not_finish_has_no_rows(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_gates(tmp_path)


def test_who_asked_is_told_by_the_reader_and_makes_no_other_answer(tmp_path):
    proved = Gate("accuracy", "pass", 0.9, 0.8, "", (0.85, 0.95), 100)
    write_gates(tmp_path, [proved])
    (read,) = read_gates(tmp_path, "Evaluator")
    assert read.node == "Evaluator" and read == proved
    assert read.interval == (0.85, 0.95), "a tuple, as it was"
    assert "node" not in read.as_row()


def test_the_worst_verdict_counts_and_of_none_nothing_is_wrong():
    assert worst(["pass", "fail", "warn"]) == "fail"
    assert worst(["warn", "pass"]) == "warn"
    assert worst([]) == "pass"
