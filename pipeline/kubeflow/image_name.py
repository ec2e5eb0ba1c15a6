"""Names of container images."""

import re
from typing import Annotated

import pydantic

_IMAGE = re.compile(
    r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:\d+(?=/))?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?"
)
_MOVING_TAGS = ("latest", "main", "master", "dev", "edge", "nightly", "stable")


def is_moving(image: str) -> bool:
    """Whether an image reference may mean another image tomorrow."""
    match = _IMAGE.fullmatch(image)
    assert match, image
    tag = (match["tag"] or "")[1:]
    return not match["digest"] and (not tag or tag.lower() in _MOVING_TAGS)


def _check_image(value: str) -> str:
    if value and not _IMAGE.fullmatch(value):
        raise ValueError(
            f"not an image: {value}. Write registry/name:tag or registry/name@sha256:…, with the "
            "name in lower case"
        )
    return value


ImageName = Annotated[str, pydantic.AfterValidator(_check_image)]
