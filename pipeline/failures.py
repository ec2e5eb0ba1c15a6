"""How a command that fails says so: one line and an exit code."""

import datetime
import os
import tempfile
import traceback
from pathlib import Path

from components.errors import Fault, fault_of, is_disk_full
from components.text import lines, one_line
from pipeline.run_result import RunError

_LONGEST_MESSAGE = 2_000


def explain(error: BaseException) -> str:
    """What went wrong, for the user, printable.

    Args:
        error: whatever was raised.

    Returns:
        One line; a line for each mistake where a recipe has several.
    """
    if isinstance(error, RunError):
        return one_line(error, _LONGEST_MESSAGE)
    fault = fault_of(error)
    if fault is Fault.USER:
        return "\n".join(lines(error, _LONGEST_MESSAGE))
    if is_disk_full(error):
        return f"the disk is full: free some space and run again ({one_line(error, 500)})"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return one_line(f"{where}{error.strerror}", _LONGEST_MESSAGE)
    if fault is Fault.SURROUNDINGS:
        return one_line(error) or "there is not enough memory"
    return f"{type(error).__name__}: {one_line(error, 500)}"


def exit_code(error: BaseException) -> int:
    """The exit code of a command that an error ends.

    Returns:
        2 for a mistake of the user, 1 for one that came out in a run and for what the surroundings
        did, 70 for a bug.
    """
    if isinstance(error, RunError):
        return Fault.GRAFT.value if error.fault is Fault.GRAFT else 1
    return fault_of(error).value


def report_request(log: Path | str) -> str:
    """What to do about a bug, of which a log holds the traceback."""
    return f"This is a bug in Graft: please report it, with the log {log}"


def write_traceback(error: BaseException) -> Path:
    """Keeps the traceback of a bug where no log is being written.

    Returns:
        The new file, in the folder for temporary files.
    """
    name = f"graft-{datetime.datetime.now():%Y-%m-%dT%H-%M-%S}-{os.getpid()}.log"
    file = Path(tempfile.gettempdir()) / name
    file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return file
