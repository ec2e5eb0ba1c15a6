"""Words that the checks share."""

import pytest

from components.data_gate.wording import listed, quoted

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize(
    ("texts", "told"),
    [([], ""), (["a"], "a"), (["a", "b", "c"], "a; b; c"), ([*"abcde"], "a; b; c; and 2 more")],
)
def test_three_are_told_and_how_many_more_there_are(texts, told):
    assert listed(texts) == told


def test_names_out_of_the_data_are_short_and_printable():
    assert quoted("süß\x1b") == "'süß\\x1b'"
    assert len(quoted("x" * 100)) == 42
