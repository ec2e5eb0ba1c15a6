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


def test_the_watcher_is_told_all_and_no_longer_where_the_task_has_failed():
    told = []
    with pytest.raises(ZeroDivisionError), progress.watched_by(told.append):
        progress.report("pictures", 0, 9, "of 2 classes", 1.5)
        raise ZeroDivisionError
    progress.report("other", 1)
    assert told == [Progress("pictures", 0, 9, "of 2 classes", 1.5)]
