"""Archives: their layouts, and those that are meant to do harm."""

import errno
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from components.errors import UserError
from components.example_gen.reading import decompress, readers, sources

GOOD = ("a/1.jpg", "a/sub/2.png", "b/1.jpg", "b/notes.txt")
KINDS = (".zip", ".tar", ".tar.gz", ".tgz")


def _write(path, names, content=None):
    """An archive whose files hold their own names; a name with a slash at its end is a folder."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, b"" if name.endswith("/") else content or name.encode())
        return path
    with tarfile.open(path, "w:gz" if path.suffix.endswith("gz") else "w") as archive:
        for name in names:
            entry = tarfile.TarInfo(name.rstrip("/"))
            data = content or name.encode()
            if name.endswith("/"):
                entry.type, data = tarfile.DIRTYPE, b""
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def _open(path):
    return sources.open_source(str(path), path.parent / "workspace")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top", ["", "./", "pets/", "data/pets 2/"])
def test_layouts(tmp_path, kind, top):
    clutter = ("__MACOSX/a/._1.jpg", ".DS_Store", f"{top}a/.hidden/3.jpg", f"{top}a/Thumbs.db")
    names = [f"{top}{name}" for name in (*GOOD, "a/", "a/sub/")]
    source = _open(_write(tmp_path / f"pets{kind}", [*names, *clutter]))
    assert source.classes == ("a", "b")
    assert [item.path for item in source.items] == ["a/1.jpg", "a/sub/2.png", "b/1.jpg"]
    assert source.ignored == 1
    with readers.open_reader(source.kind, source.root) as read:
        contents = [read(item).decode() for item in reversed(source.items)]
    assert [name.removeprefix(top) for name in reversed(contents)] == [
        item.path for item in source.items
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_name_of_an_archive_may_be_in_capitals(tmp_path, kind):
    path = _write(tmp_path / f"pets{kind}", GOOD)
    assert len(_open(path.rename(tmp_path / path.name.upper())).items) == 3


def test_pictures_come_in_the_order_of_their_paths(tmp_path):
    paths = ["a b/1.jpg", "a/B.jpg", "a/a.jpg", "a/more/1.jpg", "a/z.jpg", "b/ä.jpg"]
    source = _open(_write(tmp_path / "pets.zip", reversed(paths)))
    assert [item.path for item in source.items] == paths


@pytest.mark.parametrize("top", ["", "pets/"])
def test_splits(tmp_path, top):
    names = [f"{top}{split}/{label}/1.jpg" for split in ("train", "Val") for label in "ab"]
    source = _open(_write(tmp_path / "pets.zip", names))
    assert source.counts() == {"train": {"a": 1, "b": 1}, "validation": {"a": 1, "b": 1}}


@pytest.mark.parametrize("split", ["", "train/"])
def test_folders_beside_those_of_the_pictures_are_no_classes(tmp_path, split):
    names = [f"main/data/{split}{label}/1.jpg" for label in "ab"]
    others = ["main/README", "main/src/pkg/x.py", "main/src/train/y.py", "main/src/empty/", "docs/"]
    source = _open(_write(tmp_path / "pets.zip", [*names, *others]))
    assert source.classes == ("a", "b") and source.ignored == 3
    assert [item.path for item in source.items] == [f"{split}a/1.jpg", f"{split}b/1.jpg"]


@pytest.mark.parametrize("train", ["train", "TRAIN"])
def test_only_train(tmp_path, train):
    source = _open(_write(tmp_path / "pets.zip", [f"{train}/a/1.jpg", f"{train}/b/1.jpg"]))
    assert source.splits == {"train"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no pictures: expected one folder"),
        (["a.txt"], "holds no pictures"),
        (["2.jpg", "1.jpg", "a/1.jpg"], r"2 picture\(s\) lie directly in .*pets.zip, .* is 1.jpg"),
        (["train/1.jpg", "train/a/1.jpg"], r"lie directly in train of .*pets.zip"),
        (["a/1.jpg", "a/sub/2.jpg"], r"has 1 class \(a\)"),
        (["a/1.jpg", "b/1.jpg", *("f/", "c/", "e/", "d/")], "class folder c of .*pets.zip holds"),
        (["a/1.jpg", "b/1.jpg", "c/notes.txt"], "class folder c of .*pets.zip holds no pictures"),
        (["train/a/1.jpg", "train/b/1.jpg", "train/c/"], "class folder train/c of .*pets.zip"),
        (["train/a/1.jpg", "val/a/1.jpg", "more/b/1.jpg"], r"splits beside others \(more\)"),
        (["a\x1b[1m/1.jpg", "b/1.jpg"], r"class folder 'a\\x1b\[1m' has a control"),
        (["a/1.jpg", "b/1.jpg", "a/./1.jpg"], r"holds a/./1.jpg twice"),
        (["a/1.jpg", "../b/1.jpg"], r"holds \.\./b/1\.jpg, which leads out of it"),
        (["a/1.jpg", "b/../../1.jpg"], "which leads out of it"),
        (["a/1.jpg", "/b/1.jpg"], "holds /b/1.jpg, which leads out of it"),
        (["a/1.jpg", "C:\\b\\1.jpg"], "holds C:/b/1.jpg, which leads out of it"),
        (["a/1.jpg", "..\\b\\1.jpg"], "holds ../b/1.jpg, which leads out of it"),
    ],
)
def test_layouts_that_are_refused(tmp_path, names, message):
    with pytest.raises(UserError, match=message) as error:
        _open(_write(tmp_path / "pets.zip", names))
    assert str(error.value).isprintable()


@pytest.mark.parametrize("kind", [".tar", ".tar.gz"])
@pytest.mark.parametrize("name", ["../b/1.jpg", "/b/1.jpg", "b/../../1.jpg"])
def test_names_in_a_tar_that_lead_out_of_it(tmp_path, kind, name):
    with pytest.raises(UserError, match="which leads out of it"):
        _open(_write(tmp_path / f"pets{kind}", [*GOOD, name]))


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.FIFOTYPE, "a device"),
        (tarfile.GNUTYPE_SPARSE, "a device"),
    ],
)
def test_links_and_devices_in_a_tar(tmp_path, kind, says):
    path = _write(tmp_path / "pets.tar", GOOD)
    with tarfile.open(path, "a") as archive:
        entry = tarfile.TarInfo("a/3.jpg")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(UserError, match=f"holds {says}, a/3.jpg: expected files and folders"):
        _open(path)


@pytest.mark.parametrize(("kind", "says"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "a device")])
def test_links_and_devices_in_a_zip(tmp_path, kind, says):
    path = _write(tmp_path / "pets.zip", GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("a/3.jpg")
        entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(UserError, match=f"holds {says}, a/3"):
        _open(path)


@pytest.mark.parametrize("size", [1_000_000, 90_000])  # the latter are harmless one by one
@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_a_bomb(tmp_path, kind, size, monkeypatch):
    monkeypatch.setattr(decompress, "_HARMLESS_BYTES", 100_000)
    monkeypatch.setattr(decompress, "_CHUNK_BYTES", 10_000)
    path = _write(tmp_path / f"bomb{kind}", GOOD, content=bytes(size))
    with pytest.raises(UserError, match=r"bomb.* is a bomb: its [0-9,]+ bytes unpack to"):
        _open(path)
    assert not list(tmp_path.glob("workspace/[!.]*")), "nothing of it is left"


def test_a_bomb_of_entries_that_share_their_bytes(tmp_path):
    path = _write(tmp_path / "bomb.zip", GOOD, content=os.urandom(1000))
    with zipfile.ZipFile(path, "a") as archive:
        archive.filelist.extend(archive.filelist[:1] * 5)
        archive._didModify = True
    with pytest.raises(UserError, match=r"^data\.source \S+ is a zip bomb: its entries share"):
        _open(path)


@pytest.mark.parametrize("find", [bytearray.index, bytearray.rindex], ids=["first", "last"])
def test_a_zip_with_an_encrypted_entry(tmp_path, find):
    path = _write(tmp_path / "pets.zip", GOOD)
    data = bytearray(path.read_bytes())
    data[find(data, b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"^data\.source \S+ is encrypted: expected an archive"):
        _open(path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_is_what_is_in_a_picture_and_not_what_is_said_of_it(tmp_path, kind):
    # Elsewhere a picture holds its name, and so does the header in front of it.
    content = os.urandom(50)
    source = _open(_write(tmp_path / f"pets{kind}", GOOD, content))
    with readers.open_reader(source.kind, source.root) as read:
        assert [read(item) for item in source.items] == [content] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_cut_off(tmp_path, kind):
    path = _write(tmp_path / f"pets{kind}", GOOD, content=os.urandom(2000))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 5 // 16])
    with pytest.raises(UserError, match=r"pets.* damaged or cut off \(.*\): make or download it"):
        _open(path)
    assert not list(tmp_path.glob("workspace/[!.]*"))


@pytest.mark.parametrize(
    ("kind", "opens"), [(".zip", (zipfile, "ZipFile")), (".tar", (tarfile, "open"))]
)
def test_an_archive_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch, kind, opens):
    path = _write(tmp_path / f"pets{kind}", GOOD)

    def refuse(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(*opens, refuse)
    with pytest.raises(UserError, match=r"pets\S+ cannot be read: Permission denied$"):
        _open(path)


@pytest.mark.parametrize("kind", KINDS)
def test_something_else(tmp_path, kind):
    path = tmp_path / f"pets{kind}"
    path.write_bytes(b"<html>" * 1000)
    with pytest.raises(UserError, match="damaged or cut off"):
        _open(path)


def test_a_damaged_entry_is_set_aside(tmp_path):
    content = os.urandom(500)  # too random to be compressed
    path = _write(tmp_path / "pets.zip", GOOD, content)
    source = _open(path)
    path.write_bytes(path.read_bytes().replace(content, bytes(500), 1))
    with readers.open_reader(source.kind, source.root) as read:
        with pytest.raises(readers.BadPictureError, match="damaged in the archive: Bad CRC"):
            read(source.items[0])
        assert read(source.items[1]) == content


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_whichever_byte_is_wrong_a_zip_is_refused_or_its_pictures_are_set_aside(
    tmp_path, compression
):
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in ("a/1.jpg", "b/1.jpg"):
            archive.writestr(name, name)
    good = path.read_bytes()
    # What comes behind the compressed pictures is the same for all.
    end = None if compression == zipfile.ZIP_STORED else good.index(b"PK\x01\x02")
    refused = set_aside = 0
    for place, byte in enumerate(good[:end]):
        for wrong in {0, byte ^ 0xFF} - {byte}:
            path.write_bytes(good[:place] + bytes([wrong]) + good[place + 1 :])
            try:
                source = _open(path)
            except UserError:
                refused += 1
                continue
            with readers.open_reader(source.kind, source.root) as read:
                for item in source.items:
                    try:
                        read(item)
                    except readers.BadPictureError:
                        set_aside += 1
    assert set_aside > 50 and (refused > 50) == (end is None)


def test_a_disk_that_fails_is_no_damaged_picture(tmp_path, monkeypatch):
    source = _open(_write(tmp_path / "pets.zip", GOOD))

    def fail(archive, entry):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with readers.open_reader(source.kind, source.root) as read:
        monkeypatch.setattr(zipfile.ZipFile, "read", fail)
        with pytest.raises(OSError, match="Input/output error"):
            read(source.items[0])


@pytest.mark.parametrize("encoding", ["utf-8", "cp437"])
def test_names_that_macos_and_windows_write(tmp_path, monkeypatch, encoding):
    path = tmp_path / "pets.zip"
    with monkeypatch.context() as patched:
        # Without the flag that says whether it is UTF-8.
        patched.setattr(
            zipfile.ZipInfo,
            "_encodeFilenameFlags",
            lambda entry: (entry.filename.encode(encoding), 0),
        )
        _write(path, ["süß/1.jpg", "b\\1.jpg"])
    source = _open(path)
    assert [item.path for item in source.items] == ["b/1.jpg", "süß/1.jpg"]
    with readers.open_reader(source.kind, source.root) as read:
        assert read(source.items[1]).decode() == "süß/1.jpg"


def test_backslashes_part_folders_whatever_encoding_the_names_have(tmp_path):
    source = _open(_write(tmp_path / "pets.zip", ["süß\\1.jpg", "b\\1.jpg"]))
    assert [item.path for item in source.items] == ["b/1.jpg", "süß/1.jpg"]


def test_a_folder_of_a_zip_with_backslashes_is_no_file(tmp_path):
    source = _open(_write(tmp_path / "pets.zip", ["a\\", "a\\1.jpg", "b\\", "b\\1.jpg"]))
    assert source.ignored == 0
    with pytest.raises(UserError, match=r"class folder c of .* holds no pictures"):
        _open(_write(tmp_path / "more.zip", ["a\\1.jpg", "b\\1.jpg", "c\\"]))


@pytest.mark.parametrize("kind", [".tar.gz", ".tgz"])
def test_a_compressed_tar_is_unpacked_once_and_outdated_ones_go(tmp_path, kind):
    path = _write(tmp_path / f"pets{kind}", GOOD)
    first = _open(path)
    (unpacked,) = (tmp_path / "workspace").rglob("*.tar")
    assert str(unpacked) == first.location
    inode = unpacked.stat().st_ino
    assert _open(path) == first and unpacked.stat().st_ino == inode
    os.utime(path, ns=(5, 5))
    second = _open(path)
    assert sources.fingerprint(second) != sources.fingerprint(first)
    # Unpacking anew gives no other cache key: the time is the archive's.
    assert {item.mtime_ns for item in second.items} == {5}
    assert [str(file) for file in tmp_path.glob("workspace/*/*")] == [second.location]
    assert len(list(tmp_path.glob("workspace/[!.]*"))) == 1
    assert Path(second.location).name == "pets.tar"
    # What a run hands to its executor opens as the same source.
    assert sources.open_source(second.location, tmp_path) == second


def test_what_was_unpacked_of_another_archive_stays(tmp_path):
    workspace = tmp_path / "not" / "yet"
    (tmp_path / "old").mkdir()
    archives = [_write(tmp_path / f"{name}.tgz", GOOD) for name in ("cats", "dogs", "old/dogs")]
    opened = [sources.open_source(str(path), workspace) for path in archives]
    assert len({source.location for source in opened}) == 3
    assert all(Path(source.location).exists() for source in opened)


def test_fingerprint_changes_with_the_archive(tmp_path):
    path = _write(tmp_path / "pets.zip", GOOD)
    seen = [sources.fingerprint(_open(path))]
    assert sources.fingerprint(_open(path)) == seen[0]
    os.utime(path, ns=(5, 5))
    seen.append(sources.fingerprint(_open(path)))
    assert len(set(seen)) == 2
    os.utime(path, ns=(0, 0))
    assert not _open(path).missing, "1970 is a time too"


def test_an_entry_that_cannot_be_decompressed_is_set_aside(tmp_path):
    path = _write(tmp_path / "pets.zip", GOOD, b"compressible " * 50)
    source = _open(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"a/1.jpg") + len("a/1.jpg")] = 0xFF  # no kind of block begins so
    path.write_bytes(data)
    with (
        readers.open_reader(source.kind, source.root) as read,
        pytest.raises(readers.BadPictureError, match="damaged in the archive: Error -3"),
    ):
        read(source.items[0])


def test_a_file_that_may_not_be_read_is_set_aside(tmp_path, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(readers, "open", refuse, raising=False)
    item = sources.Item("a/1.jpg", "a", None, 3, 5)
    with (
        readers.open_reader("files", str(tmp_path)) as read,
        pytest.raises(readers.BadPictureError, match="cannot be read: Permission denied"),
    ):
        read(item)


@pytest.mark.parametrize("path", ["gone.jpg", "itself.jpg", "a.jpg/b.jpg", "long" * 64 + ".jpg"])
def test_what_was_not_there_when_it_was_listed_is_set_aside(tmp_path, path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    with (
        readers.open_reader("files", str(tmp_path)) as read,
        pytest.raises(readers.BadPictureError, match="cannot be read: "),
    ):
        read(sources.Item(path, "a", None, 0, 0))


def test_a_disk_that_fails_is_no_bad_picture(tmp_path, monkeypatch):
    def fail(path, mode):
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(readers, "open", fail, raising=False)
    with (
        readers.open_reader("files", str(tmp_path)) as read,
        pytest.raises(OSError, match="Input/output error"),
    ):
        read(sources.Item("a/1.jpg", "a", None, 3, 5))
