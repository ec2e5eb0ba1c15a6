"""How much an archive may grow."""

import pytest

from components.errors import UserError
from components.example_gen.reading.decompress import check_expansion, plain_name

pytestmark = pytest.mark.one_line


def test_a_hundred_times_and_a_harmless_rest_are_allowed():
    check_expansion(100_000_500, 5, "pets.zip")
    with pytest.raises(UserError, match=r"pets\.zip is a bomb: its 5 bytes unpack to 100,000,501"):
        check_expansion(100_000_501, 5, "pets.zip")


@pytest.mark.parametrize(
    ("name", "plain"),
    [("a.tgz", "a.tar"), ("A.TGZ", "A.tar"), ("a.tar.gz", "a.tar"), ("a.GZ", "a"), ("a", "a")],
)
def test_names_lose_what_says_that_they_are_compressed(name, plain):
    assert plain_name(name) == plain
