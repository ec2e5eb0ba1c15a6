"""Several tests with one error rate."""

import pytest

from components.multiple_tests import holm

pytestmark = pytest.mark.one_line


def test_holm_is_the_published_procedure():
    assert holm([0.01, 0.04, 0.03], 0.05) == [True, False, False]
    assert holm([0.01, 0.02, 0.03], 0.05) == [True, True, True]
    assert holm([0.02, 0.03], 0.05) == [True, True]
    assert holm([0.03, 0.04], 0.05) == [False, False]
    assert holm([0.05, 0.025], 0.05) == [True, True], "as small as it must be"
    assert holm([], 0.05) == []
