"""Commands of Graft as one types them into a shell."""

import shlex
from collections.abc import Iterable


def shell_line(*words: str, overrides: Iterable[str]) -> str:
    """One command.

    Args:
        words: what stands behind `graft`.
        overrides: `key=value`, as they were given with `--set`.
    """
    settings = [word for override in overrides for word in ("--set", override)]
    return shlex.join(["graft", *words, *settings])
