"""Files that are there whole or not at all."""

import os

import pytest

from components.files import atomic_file, cache_folder, write_atomically


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.yaml"
    path.write_text("old")

    def full(number):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_atomically(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    write_atomically(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("name", ["none/sheet.png", "file/sheet.png", f"{'long' * 60}.png"])
def test_the_file_that_cannot_be_written_is_the_one_that_was_named(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=rf"'{tmp_path}/{name}'"):
        write_atomically(tmp_path / name, "x")


def test_all_of_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path, seen = tmp_path / "a.yaml", []
    monkeypatch.setattr(os, "fsync", lambda n: seen.append((os.fstat(n).st_size, path.exists())))
    write_atomically(path, "new")
    assert seen == [(3, False)]


def test_of_two_writers_at_once_each_writes_a_whole_file(tmp_path):
    path = tmp_path / "a.yaml"
    with atomic_file(path) as first:
        first.write(b"the first")
        with atomic_file(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"the first" and list(tmp_path.iterdir()) == [path]


def test_who_reads_a_file_that_is_replaced_reads_the_old_one_to_its_end(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("old")
    with path.open() as reader:
        write_atomically(path, "süß")
        assert reader.read() == "old"
    assert path.read_bytes() == "süß".encode()


def test_a_file_has_the_mode_that_the_umask_gives(tmp_path):
    umask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "shared", b"\0bytes")
    finally:
        os.umask(umask)
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "shared").read_bytes() == b"\0bytes"


@pytest.mark.parametrize(
    ("given", "folder"),
    [("/mnt/cache", "/mnt/cache"), ("~/c", "/home/me/c"), ("", "/home/me/.cache/graft"),
     (None, "/home/me/.cache/graft"), ("cache", "/cache")],
)  # fmt: skip
def test_downloads_are_kept_where_the_environment_says(monkeypatch, given, folder):
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("GRAFT_CACHE", raising=False)
    if given is not None:
        monkeypatch.setenv("GRAFT_CACHE", given)
    assert str(cache_folder()) == folder


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "shared").mkdir()
    link, file = tmp_path / "link", tmp_path / "shared" / "file"
    link.symlink_to("shared/file")
    for text in ("old", "new"):
        write_atomically(link, text)
        assert link.is_symlink() and file.read_text() == text
    assert list((tmp_path / "shared").iterdir()) == [file]


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", "text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
