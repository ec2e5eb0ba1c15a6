"""How often Python looks for garbage."""

import subprocess
import sys

import pytest

# A cycle that is garbage, and says when it is found.
SCRIPT = """
import gc, sys
from components.garbage import collect_seldom

class Found:
    def __del__(self):
        print("found")

if sys.argv[1] == "seldom":
    collect_seldom()
cycle = Found()
cycle.itself = cycle
del cycle
print("threshold", gc.get_threshold()[0])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "printed"), [("seldom", "threshold 20000\n"), ("often", "threshold 700\nfound\n")]
)
def test_a_process_that_ends_is_not_searched(how, printed):
    command = [sys.executable, "-c", SCRIPT, how]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == printed
