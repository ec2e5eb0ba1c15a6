"""Work that is begun before its turn."""

import pytest

from components.ahead import ahead

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_what_comes_next_has_been_begun_and_the_order_stays(count):
    begun = []

    def begin():
        for number in range(5):
            begun.append(number)
            yield number

    for place, number in enumerate(ahead(begin(), count)):
        assert number == place
        assert begun == list(range(min(5, place + count + 1)))
    assert len(begun) == 5


def test_nothing_is_begun_before_it_is_asked_for():
    assert list(ahead([], 2)) == []
    ahead(iter(lambda: pytest.fail("begun"), None), 2)
