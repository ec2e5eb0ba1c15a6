"""How an error becomes a message and an exit code."""

import pytest

from components.errors import UserError
from pipeline.failures import exit_code, explain
from pipeline.run_result import RunError


def caused_by(cause: Exception | None) -> RunError:
    error = RunError("Trainer: no")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (UserError("one\ntwo"), 2, "one\ntwo"),
        (PermissionError(13, "Permission denied", "/srv/x"), 1, "/srv/x: Permission denied"),
        (PermissionError(13, "Permission denied"), 1, "Permission denied"),
        (OSError(28, "No space left on device"), 1, "the disk is full: free some space and run"),
        (MemoryError(), 1, "there is not enough memory"),
        (KeyError("a key"), 70, "KeyError: 'a key'"),
        (caused_by(UserError("a mistake")), 1, "Trainer: no"),
        (caused_by(OSError("the network")), 1, "Trainer: no"),
        (caused_by(KeyError("k")), 70, "Trainer: no"),
        (caused_by(None), 1, "Trainer: no"),
    ],
)
def test_whose_fault_it_is_decides_the_exit_code(error, code, says):
    assert exit_code(error) == code and explain(error).startswith(says)
