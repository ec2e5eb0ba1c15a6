"""The client's process, and what its death means."""

import sys

import pytest

from components.serving_gate.config import ServingGateSettings
from components.serving_gate.process import ask

ANSWER = """
import json, sys
request = json.load(open(sys.argv[1]))
open(request["answers"], "a").write('{"name": "load", "verdict": "pass", "value": 1, "bound": 2, "message": "ok"}\\n')
"""  # noqa: E501


def ask_script(script: str, **settings):
    return ask("m", "e", ServingGateSettings(**settings), (sys.executable, "-c", script))


def test_answers_are_read_and_the_process_is_the_last_of_them():
    checks = ask_script(ANSWER)
    assert [(check.name, check.verdict) for check in checks] == [
        ("load", "pass"),
        ("process", "pass"),
    ]


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("import os; os.abort()", "ended with code -6: no message"),
        ("raise RuntimeError('out of memory')", "ended with code 1: RuntimeError: out of memory"),
    ],
)
def test_a_crash_is_a_failed_check_and_earlier_answers_are_kept(end, message):
    load, process = ask_script(ANSWER + end)
    assert load.verdict == "pass"
    assert process.verdict == "fail"
    assert process.message == message


def test_a_process_that_hangs_is_ended_and_fails():
    load, process = ask_script(ANSWER + "import time; time.sleep(60)", timeout_seconds=1)
    assert load.verdict == "pass"
    assert process.verdict == "fail"
    assert process.message == "not done after 1 s, ended"


def test_the_process_sees_no_gpu_and_finds_the_code():
    script = "import os, components.gates; assert os.environ['CUDA_VISIBLE_DEVICES'] == '-1'"
    assert [check.message for check in ask_script(script) if check.verdict != "pass"] == []
