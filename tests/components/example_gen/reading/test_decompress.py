"""How much an archive may grow, and what becomes of one that is decompressed."""

import errno
import gzip
import os
import threading

import filelock
import pytest

from components.errors import UserError
from components.example_gen.reading import decompress
from components.example_gen.reading.decompress import check_expansion, plain_name

pytestmark = pytest.mark.one_line


def test_a_hundred_times_and_a_harmless_rest_are_allowed():
    check_expansion(100_000_500, 5, "pets.zip")
    with pytest.raises(UserError, match=r"pets\.zip is a bomb: its 5 bytes unpack to 100,000,501"):
        check_expansion(100_000_501, 5, "pets.zip")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", False),
        (b"\x1f", False),
        (b"\x1f\x8b", True),
        (b"\x1f\x8b\x08more", True),
        (b"ab", False),
    ],
)
def test_a_file_is_gzip_if_it_begins_so(tmp_path, content, says):
    (tmp_path / "file").write_bytes(content)
    assert decompress.is_gzip(tmp_path / "file") is says


@pytest.mark.parametrize(
    ("name", "plain"),
    [("a.tgz", "a.tar"), ("A.TGZ", "A.tar"), ("a.tar.gz", "a.tar"), ("a.GZ", "a"), ("a", "a")],
)
def test_names_lose_what_says_that_they_are_compressed(name, plain):
    assert plain_name(name) == plain


def test_what_is_decompressed_has_the_times_of_its_archive(tmp_path):
    packed = tmp_path / "pets.tar.gz"
    packed.write_bytes(gzip.compress(b"pictures"))
    os.utime(packed, ns=(2_000_000_000, 1_000_000_000))
    result = decompress.decompressed(packed, [packed], tmp_path / "workspace") / "pets.tar"
    assert result.stat().st_mtime_ns == 1_000_000_000


def test_what_another_run_has_decompressed_meanwhile_is_taken(tmp_path, monkeypatch):
    packed, workspace = tmp_path / "pets.tar.gz", tmp_path / "workspace"
    packed.write_bytes(gzip.compress(b"pictures"))
    waits, decompressed = threading.Event(), []
    acquire, run = filelock.FileLock.acquire, decompress._decompress

    def wait(lock, **options):
        waits.set()
        return acquire(lock, **options)

    def slowly(path, unpacked):
        decompressed.append(path)
        monkeypatch.setattr(filelock.FileLock, "acquire", wait)
        other.start()
        assert waits.wait(10)
        run(path, unpacked)

    monkeypatch.setattr(decompress, "_decompress", slowly)
    found = []
    other = threading.Thread(
        target=lambda: found.append(decompress.decompressed(packed, [packed], workspace))
    )
    result = decompress.decompressed(packed, [packed], workspace)
    other.join(10)
    assert found == [result] and decompressed == [packed]
    assert (result / "pets.tar").read_bytes() == b"pictures"


def test_what_a_killed_run_and_an_earlier_version_left_goes(tmp_path):
    packed, workspace = tmp_path / "pets.tar.gz", tmp_path / "workspace"
    packed.write_bytes(gzip.compress(b"old"))
    decompress.decompressed(packed, [packed], workspace)
    packed.write_bytes(gzip.compress(b"pictures"))
    (workspace / ".unfinished-7" / "files").mkdir(parents=True)
    result = decompress.decompressed(packed, [packed], workspace)
    assert set(workspace.iterdir()) == {result, workspace / ".lock"}


def test_a_result_that_cannot_be_put_in_its_place_is_no_result(tmp_path, monkeypatch):
    packed = tmp_path / "pets.tar.gz"
    packed.write_bytes(gzip.compress(b"pictures"))

    def refuse(path, target):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(decompress.Path, "rename", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        decompress.decompressed(packed, [packed], tmp_path / "workspace")
    assert [path.name for path in (tmp_path / "workspace").iterdir()] == [".lock"]
