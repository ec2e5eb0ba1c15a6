"""Whose fault an error is. A leaf: imports nothing of Graft."""

import enum
import errno
import os


class UserError(ValueError):
    """Something that the user gave cannot be used; the text says what, why, and what is right.

    Every other exception is the surroundings' doing (OSError: disk, permission, connection) or a
    bug of Graft. Pydantic's validators raise plain ValueError, which it words itself.
    """


class Fault(enum.Enum):
    """Whose fault an error is; the value is the exit code of a command that it ends."""

    USER = 2  # something that was given cannot be used
    SURROUNDINGS = 1  # disk, memory, permissions, a server or the way to it
    GRAFT = 70  # a bug; sysexits.h calls it EX_SOFTWARE


# TensorFlow, Beam and SQLite wrap the operating system's error in types of their own: go by its
# words.
_FULL_DISK = os.strerror(errno.ENOSPC)
_NO_WRITING = (
    *map(os.strerror, (errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EROFS)),
    "disk I/O error",
    "database or disk is full",
)
# TensorFlow's name for memory that is used up; told by name, to leave TensorFlow unimported.
_NO_MEMORY = "ResourceExhaustedError"


def is_disk_full(error: BaseException) -> bool:
    """Tells whether there was no space left for a file."""
    return _FULL_DISK in str(error)


def fault_of(error: BaseException) -> Fault:
    """Tells whose fault an error is."""
    if isinstance(error, UserError):
        return Fault.USER
    if isinstance(error, OSError | MemoryError) or is_disk_full(error):
        return Fault.SURROUNDINGS
    if any(words in str(error) for words in _NO_WRITING):
        return Fault.SURROUNDINGS
    if any(kind.__name__ == _NO_MEMORY for kind in type(error).__mro__):
        return Fault.SURROUNDINGS
    return Fault.GRAFT
