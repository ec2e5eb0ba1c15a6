"""Who is told how far a task is."""

import pytest

from components import progress
from components.progress import Epoch, Progress

pytestmark = pytest.mark.one_line


def test_an_inner_watcher_gives_way_to_the_outer_one():
    outer, inner, epochs = [], [], []
    epoch = Epoch("frozen", 1, 2, {})
    with progress.watched_by(outer.append, epochs.append):
        with progress.watched_by(inner.append):
            progress.report("b", 2)
            progress.report_epoch(epoch)
        progress.report("a", 1)
        progress.report_epoch(epoch)
    progress.report("c", 3)
    assert (inner, outer, epochs) == ([Progress("b", 2)], [Progress("a", 1)], [epoch])
