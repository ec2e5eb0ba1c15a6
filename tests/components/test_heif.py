"""How a HEIC picture is told apart, whether or not it can be read."""

import importlib.util

import pytest

from components import heif

pytestmark = pytest.mark.one_line


@pytest.mark.parametrize("brand", ["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"])
def test_the_brand_in_the_first_box_tells(brand):
    assert heif.is_heif(b"\0\0\0\x18ftyp" + brand.encode() + b"\0\0\0\0mif1")


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\x18ftyp", b"\0\0\0\x18ftypavif", b"\0\0\0\x18mdatheic", b"ftypheic"]
)
def test_other_files_are_none(data):
    assert not heif.is_heif(data)


def test_they_are_read_where_the_extra_is_installed(monkeypatch):
    installed = {"PIL", "pillow_heif"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in installed or None)
    assert heif.reads_heif()
    installed.remove("pillow_heif")
    assert not heif.reads_heif()
