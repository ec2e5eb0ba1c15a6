import hashlib

import numpy as np

from components.example_gen.inspection.picture_table import Pictures
from components.example_gen.originals import choose, keep
from components.example_gen.reading import sources
from components.example_gen.reading.walk import to_utf8

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


def test_the_order_is_that_of_the_contents_and_not_of_the_source():
    kinds = [PHOTO, PHOTO, PHOTO, GREY]
    assert choose(["c", "b", "a", "d"], kinds, ["test"] * 4) == [2, 3, 1, 0]


def test_only_files_that_are_as_they_were_read_are_kept(tmp_path):
    root = tmp_path / "pets"
    contents = {f"a/{n}.JPG": f"picture {n}".encode() for n in range(8)}
    contents["a/not UTF-8: \udce9.JPG"] = b"picture 8"
    (root / "a").mkdir(parents=True)
    (root / "b").mkdir()
    for path, content in {**contents, "b/other.jpg": b"other"}.items():
        (root / path).write_bytes(content)
    source = sources.list_folder(root)
    (root / "a/1.JPG").write_bytes(b"another")
    (root / "a/2.JPG").unlink()
    ids = [hashlib.sha256(content).hexdigest() for content in contents.values()]
    paths = [to_utf8(path) for path in contents]
    pictures = Pictures(ids, paths, ["a"] * 9, [None] * 9, *[np.zeros(9)] * 3, [PHOTO] * 9)
    keep(source, pictures, ["train", *["test"] * 8], str(tmp_path))
    kept = {path.name: path.read_bytes() for path in (tmp_path / "originals").iterdir()}
    assert kept == {
        f"{number:02d}-{image_id}.jpeg": f"picture {ids.index(image_id)}".encode()
        for number, image_id in enumerate(sorted(ids[1:]))
        if image_id not in ids[1:3]
    }
