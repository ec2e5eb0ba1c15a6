"""Forked Python processes are what new ones would be."""

import sys

import pytest

pytestmark = pytest.mark.slow


def test_nothing_of_the_program_that_runs_the_tests_is_run_again(forked, tmp_path, monkeypatch):
    program = tmp_path / "unguarded.py"
    program.write_text("raise SystemExit('run again')")
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__spec__", None)
    monkeypatch.setattr(main, "__file__", str(program), raising=False)
    ended = forked.run(["-c", "print('hello')"], tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "hello\n", "")
    assert sys.modules["__main__"] is main


def test_it_ends_as_python_does(forked, tmp_path):
    code = "import atexit, sys; atexit.register(lambda: print('the end')); sys.exit('no')"
    ended = forked.run(["-c", code], tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "the end\n", "no\n")
