"""Python's search for garbage, made seldom: for processes that import TensorFlow."""

import atexit
import gc

# Collections of the youngest objects after so many new ones, and of older ones after so many of
# those. Python's 700, 10 and 10 are for programs with few objects.
_THRESHOLDS = (20_000, 20, 20)


def collect_seldom() -> None:
    """Searches for garbage some thirty times less often, and not at all when the process ends.

    TensorFlow and TFX are a million objects that stay. To search them again and again is a fifth of
    the time of their import, and to search them once more at the end takes a second.
    """
    gc.set_threshold(*_THRESHOLDS)
    atexit.register(gc.freeze)
