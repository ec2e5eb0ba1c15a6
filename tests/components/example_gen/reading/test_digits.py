import errno
import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn.datasets
from PIL import Image
from sklearn.datasets import load_digits

from components.example_gen.reading import digits, sources


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return digits.write_digits(tmp_path_factory.mktemp("digits") / "workspace")


def test_every_digit_is_there(folder):
    source = sources.list_folder(folder)
    assert source.classes == tuple("0123456789")
    assert len(source.items) == 1797
    assert source.ignored == 0


def test_pixels_are_those_of_scikit_learn(folder):
    pictures, labels = load_digits(return_X_y=True)
    for index in (0, 1, 777, 1796):
        with Image.open(folder / str(labels[index]) / f"{index:04d}.png") as image:
            assert (image.mode, image.size) == ("L", (8, 8))
            np.testing.assert_allclose(
                np.asarray(image), pictures[index].reshape(8, 8) * 255 / 16, atol=0.5
            )


def test_files_are_the_same_on_every_machine(folder):
    data = (folder / "0/0000.png").read_bytes()
    assert hashlib.sha256(data).hexdigest()[:16] == "db8eb7474a3095a6"


def test_written_once(folder):
    before = (folder / "0").stat().st_mtime_ns
    (folder / "0/0000.png").touch()
    changed = sources.fingerprint(sources.list_folder(folder))
    assert digits.write_digits(folder.parent) == folder
    assert sources.fingerprint(sources.list_folder(folder)) == changed
    assert (folder / "0").stat().st_mtime_ns == before


@pytest.fixture
def few(monkeypatch):
    """Only the first forty of them, which are written in no time."""
    pictures, labels = load_digits(return_X_y=True)
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda **_: (pictures[:40], labels[:40]))


def test_fingerprint_is_the_same_elsewhere(few, tmp_path):
    first, second = (sources.open_source("digits", tmp_path / name) for name in "ab")
    assert first.root != second.root
    assert sources.fingerprint(first) == sources.fingerprint(second)


def test_killed_and_concurrent_attempts_do_no_harm(few, tmp_path):
    (tmp_path / ".digits-killed" / "0").mkdir(parents=True)
    with ThreadPoolExecutor(3) as pool:
        folders = set(pool.map(digits.write_digits, [tmp_path] * 3))
    assert folders == {tmp_path / "digits"}
    assert len(sources.list_folder(tmp_path / "digits").items) == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == [".digits-killed", "digits"]


def test_digits_that_cannot_be_put_in_their_place_are_not_said_to_be_there(
    few, tmp_path, monkeypatch
):
    def refuse(path, target):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(digits.Path, "rename", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        digits.write_digits(tmp_path)
    assert not (tmp_path / "digits").exists()


def test_where_another_process_was_faster_its_digits_are_taken(few, tmp_path, monkeypatch):
    rename = digits.Path.rename

    def rename_late(path, target):
        shutil.copytree(path, target)  # by the other one
        return rename(path, target)

    monkeypatch.setattr(digits.Path, "rename", rename_late)
    assert digits.write_digits(tmp_path) == tmp_path / "digits"
    assert [path.name for path in tmp_path.iterdir()] == ["digits"]
