"""Settings of ImageExampleGen."""

import pytest

from components.example_gen.config import DataSettings

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize(
    "digest", ["0" * 63, "0" * 65, "0" * 63 + "g", "A" * 64, "", " " + "0" * 64]
)
def test_a_digest_is_64_hexadecimal_digits_and_no_more(digest):
    assert DataSettings(sha256="0" * 64).sha256 == "0" * 64
    with pytest.raises(ValueError, match=r"sha256\n.*should match pattern"):
        DataSettings(sha256=digest)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": ""}, "source\n.*at least 1 character"),
        ({"tfrecord": {"image": ""}}, "tfrecord.image\n.*at least 1 character"),
        ({"tfrecord": {"label": ""}}, "tfrecord.label\n.*at least 1 character"),
        ({"min_per_class": 0}, "min_per_class\n.*greater than or equal to 1"),
        ({"max_pixels": 0}, "max_pixels\n.*greater than or equal to 1"),
        ({"max_pixels": 178_956_971}, "max_pixels\n.*less than or equal to 178956970"),
        ({"max_quarantined": 1.1}, "max_quarantined\n.*less than or equal to 1"),
        ({"contradicting_labels": "warn"}, "contradicting_labels\n.*'stop' or 'keep'"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DataSettings(**settings)
