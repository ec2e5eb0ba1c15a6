"""Names that tell of a secret, whose value must not be readable in packages and logs."""

import re

_SECRET = re.compile(
    r"passwd|password|secret|token(_|$)|connection_?string|(access|api|private)_?key|(^|_)key$"
)
# A file with a secret is none itself, nor is the name of a key in a key management service.
_NO_SECRET = re.compile(r"(^|_)(file|path|kms_key)$")


def is_secret(name: str) -> bool:
    """Whether the value that has this name is likely to be a secret.

    Args:
        name: of an environment variable or an option, in any case, with words parted by `_`, `-`
            or `.`; `AWS_SECRET_ACCESS_KEY` and `s3-session-token` are secrets, `TOKEN_FILE` and
            `TOKENIZERS_PARALLELISM` are not.
    """
    words = re.sub(r"[-.]", "_", name.lower())
    return bool(_SECRET.search(words)) and not _NO_SECRET.search(words)
