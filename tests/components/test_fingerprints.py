import hashlib
import os
from pathlib import Path

import pytest

from components.fingerprints import files_fingerprint, labels_fingerprint

pytestmark = pytest.mark.one_line


def test_that_of_labels_knows_pictures_and_labels_whatever_their_order():
    rows = [(letter, "dog") for letter in "hgfedcb"] + [("a", "cat")]
    told = "a cat\n" + "".join(f"{letter} dog\n" for letter in "bcdefgh")
    assert labels_fingerprint(rows) == hashlib.sha256(told.encode()).hexdigest()
    assert labels_fingerprint(rows[::-1]) == labels_fingerprint(rows)
    assert labels_fingerprint([*rows[:-1], ("a", "dog")]) != labels_fingerprint(rows)


def test_a_copy_of_a_picture_is_known_already():
    rows = [("b", "dog"), ("a", "cat")]
    assert labels_fingerprint([*rows, rows[0]]) == labels_fingerprint(rows)


def test_that_of_files_knows_names_sizes_and_times(tmp_path):
    file = tmp_path / "folder" / "a"
    file.parent.mkdir()

    def written(content, time):
        file.write_text(content)
        os.utime(file, ns=(0, time))
        os.utime(file.parent, ns=(0, 0))
        return files_fingerprint(tmp_path), files_fingerprint(file)

    seen = [written("a", 1), written("ab", 1), written("ab", 2)]
    file.rename(file.with_name("b"))
    os.utime(file.parent, ns=(0, 0))
    seen.append((files_fingerprint(tmp_path), files_fingerprint(file.with_name("b"))))
    for of_one_kind in zip(*seen, strict=True):
        assert len(set(of_one_kind)) == 4
    file.with_name("b").rename(file)
    assert written("ab", 2) == seen[2]


def test_the_order_in_which_a_folder_lists_its_files_does_not_matter(tmp_path, monkeypatch):
    for name in "abc":
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, ns=(0, 0))
    before, listed = files_fingerprint(tmp_path), Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda *given: reversed(list(listed(*given))))
    assert files_fingerprint(tmp_path) == before
