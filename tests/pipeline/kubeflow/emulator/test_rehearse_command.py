"""`graft rehearse`: what it shows and how it ends."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

import pipeline
from pipeline.commands.rehearse import rehearse_package

pytestmark = pytest.mark.slow  # each step is a process


def test_the_command_shows_steps_and_gates_and_where_the_model_is(write, tmp_path, capfd):
    code = rehearse_package(write(), tmp_path / "work", [], "", keep=False, verbose=False)
    shown = capfd.readouterr().out
    assert code == 0
    assert "✓ BaselineFinder" in shown and "at least 0.8 wanted" in shown
    assert f"Pushed to {tmp_path / 'work' / 'pvc/graft/serving/7'}" in shown


def test_the_command_names_the_gate_that_said_no(write, tmp_path, capfd):
    given = ["where=Evaluator", "mode=gate"]
    code = rehearse_package(write(), tmp_path / "work", given, "", keep=False, verbose=False)
    shown = capfd.readouterr().out
    assert code == 1
    assert "✗ Verdict ended with exit code 1: not pushed. accuracy: too low" in shown
    assert "Not pushed." in shown and "Traceback" not in shown


def test_the_command_names_the_step_that_failed_and_shows_the_end_of_its_log(
    write, tmp_path, capfd
):
    given = ["where=Evaluator", "mode=fail"]
    code = rehearse_package(write(), tmp_path / "work", given, "", keep=False, verbose=False)
    shown = capfd.readouterr().out
    assert code == 1
    assert "✗ Evaluator ended with exit code 2" in shown
    assert shown.endswith("baseline_model has files: False\nsomething is wrong\n")


def test_a_rehearsal_that_is_ended_ends_its_step(write, tmp_path, forked):
    command = ["rehearse", str(write()), "--work", str(tmp_path), "--param", "mode=sleep"]
    process = forked.Popen(
        [sys.executable, "-m", "pipeline.cli", *command, "--param", "where=BaselineFinder"],
        env={**os.environ, "PYTHONPATH": str(Path(pipeline.__file__).parents[1])},
    )
    try:
        (log,) = wait_for(lambda: list(tmp_path.glob("runs/*/logs/*-BaselineFinder.log")))
        step = int(wait_for(lambda: log.read_text().split()[6:])[0])
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    finally:
        process.kill()
    assert wait_for(lambda: not Path(f"/proc/{step}").exists())


def wait_for(condition, within_s: float = 120.0):
    """What `condition` returns, as soon as that is true."""
    end = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    return found


def test_a_parameter_without_value_is_one_clear_error(write, tmp_path):
    with pytest.raises(ValueError, match="--param frozen_epochs: write key=value, as in mode="):
        rehearse_package(write(), tmp_path, ["frozen_epochs"], "", keep=False, verbose=False)


def test_a_package_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(ValueError, match=r"no package .*missing\.yaml"):
        rehearse_package(tmp_path / "missing.yaml", tmp_path, [], "", keep=False, verbose=False)
