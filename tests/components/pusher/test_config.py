"""Where models may be pushed to, and where that is noted."""

import pytest

from components.pusher.config import PushSettings

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize(
    ("key", "value", "is_taken"),
    [
        ("registry", "", True),
        ("registry", "http://registry:8080", True),
        ("registry", "https://registry.example.com/api/v1", True),
        ("registry", "registry:8080", False),
        ("registry", "ftp://registry", False),
        ("registry", "https://user:word@registry", False),
        ("registry", "https://registry and more", False),
        ("registry_uri", "", True),
        ("registry_uri", "pvc://models/fruit", True),
        ("registry_uri", "models/fruit", False),
        ("registry_uri", "pvc://models/ripe fruit", False),
        ("sign", {"key": ""}, False),
        ("destination", "https://example.com", False),
    ],
)
def test_what_is_taken(key, value, is_taken):
    if is_taken:
        assert getattr(PushSettings(**{key: value}), key) == value
    else:
        with pytest.raises(ValueError, match=key):
            PushSettings(**{key: value})


def test_by_default_nothing_is_signed_and_what_was_taken_back_stays_away():
    settings = PushSettings()
    assert settings.sign is None and not settings.allow_taken_back
