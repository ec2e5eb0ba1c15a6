"""Whose fault an error is."""

import pytest

from components.errors import Fault, UserError, fault_of


class ResourceExhaustedError(Exception):
    """By the name of TensorFlow's own."""


class OutOfGpuMemoryError(ResourceExhaustedError):
    """One of its kinds."""


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (UserError("no such recipe"), Fault.USER),
        (ValueError("of any library"), Fault.GRAFT),
        (KeyError("x"), Fault.GRAFT),
        (PermissionError(13, "Permission denied"), Fault.SURROUNDINGS),
        (ConnectionRefusedError(111, "Connection refused"), Fault.SURROUNDINGS),
        (MemoryError(), Fault.SURROUNDINGS),
        (RuntimeError("UNKNOWN: x.tmp; No space left on device"), Fault.SURROUNDINGS),
        (RuntimeError("UNKNOWN: x.data-00000; File too large"), Fault.SURROUNDINGS),
        (RuntimeError("sqlite: disk I/O error"), Fault.SURROUNDINGS),
        (RuntimeError("sqlite: database or disk is full"), Fault.SURROUNDINGS),
        (RuntimeError("UNKNOWN: x; Disk quota exceeded"), Fault.SURROUNDINGS),
        (RuntimeError("UNKNOWN: x; Input/output error"), Fault.SURROUNDINGS),
        (RuntimeError("UNKNOWN: x; Read-only file system"), Fault.SURROUNDINGS),
        (ResourceExhaustedError("OOM when allocating"), Fault.SURROUNDINGS),
        (OutOfGpuMemoryError("OOM when allocating"), Fault.SURROUNDINGS),
    ],
)
def test_whose_fault_it_is(error, fault):
    assert fault_of(error) is fault


def test_the_exit_codes_are_those_that_scripts_go_by():
    assert {fault.name: fault.value for fault in Fault} == {
        "USER": 2,
        "SURROUNDINGS": 1,
        "GRAFT": 70,
    }
