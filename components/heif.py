"""HEIC pictures, as phones keep them: whether they can be read. Imports nothing that takes time."""

import importlib.util

HEIF_NEEDED = "to read those, install Graft's extra heif (pip install pillow-heif)"
# Brands in the first box of such a file (ISO/IEC 23008-12).
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def is_heif(data: bytes) -> bool:
    """Whether a file begins as a HEIC picture."""
    return data[4:8] == b"ftyp" and data[8:12] in _BRANDS


def reads_heif() -> bool:
    """Whether HEIC pictures can be read: whether the extra `heif` is installed."""
    return importlib.util.find_spec("pillow_heif") is not None
