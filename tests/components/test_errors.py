"""Whose fault an error is."""

import pytest

from components.errors import Fault, UserError, fault_of


class ResourceExhaustedError(Exception):
    """By the name of TensorFlow's own."""


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
        (ResourceExhaustedError("OOM when allocating"), Fault.SURROUNDINGS),
    ],
)
def test_whose_fault_it_is(error, fault):
    assert fault_of(error) is fault
