import hashlib

import numpy as np

from components.example_gen.inspection.picture_table import Pictures
from components.example_gen.originals import choose, keep
from components.example_gen.reading import sources

PHOTO, TURNED, GREY = ("JPEG", 1, "RGB"), ("JPEG", 6, "RGB"), ("JPEG", 1, "L")


def test_every_kind_comes_before_the_second_of_any():
    kinds = [PHOTO] * 80 + [TURNED, GREY] + [("GIF", 1, "P")]
    rows = choose([f"{row:03d}" for row in range(83)], kinds, ["test"] * 83)
    assert len(rows) == 64
    assert {kinds[row] for row in rows[:4]} == set(kinds)
    assert choose([f"{row:03d}" for row in range(83)], kinds, ["test"] * 83, 5)[:4] == rows[:4]


def test_other_splits_and_copies_are_left_out():
    splits = ["train", "test", None, "test", "test", "validation"]
    assert choose(["a", "b", "c", "b", "d", "e"], [PHOTO] * 6, splits) == [3, 4]


def test_only_files_that_are_as_they_were_read_are_kept(tmp_path):
    root = tmp_path / "pets"
    contents = {"a/1.jpg": b"one", "a/2.jpg": b"two", "b/3.JPG": b"three", "b/4.jpg": b"four"}
    for path, content in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    source = sources.list_folder(root)
    (root / "a/1.jpg").write_bytes(b"another")
    (root / "a/2.jpg").unlink()
    ids = [hashlib.sha256(content).hexdigest() for content in contents.values()]
    pictures = Pictures(ids, list(contents), ["a"] * 4, [None] * 4, *[np.zeros(4)] * 3)
    keep(source, pictures, [PHOTO] * 4, ["test", "test", "test", "train"], str(tmp_path))
    (kept,) = (tmp_path / "originals").iterdir()
    assert kept.name[2:] == f"-{ids[2]}.jpeg" and kept.read_bytes() == b"three"
