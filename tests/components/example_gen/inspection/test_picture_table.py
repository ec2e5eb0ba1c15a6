import dataclasses

import numpy as np
import pyarrow.parquet as pq

from components.example_gen.inspection import picture_table
from components.example_gen.inspection.facts import Facts


def _kind(number: int) -> tuple[str, int, str]:
    return ("PNG", "JPEG", "GIF")[number % 3], 1 + number % 8, ("L", "RGB")[number % 2]


def _facts(number: int) -> Facts:
    kind, orientation, _ = _kind(number)
    return Facts(20 + number, 30, 1000, kind, orientation, 1.5, 2.5, 3.5, 4 / 3, 5.5)


def _write(path, numbers) -> str:
    with picture_table.StagedWriter(str(path), ["column_site"]) as rows:
        for number in numbers:
            hashes = np.arange(8, dtype=np.uint64) + np.uint64(2**63 + number)
            thumbnail = np.full((16, 16), number % 256, np.uint8)
            given = "test" if number % 2 else None
            facts = dataclasses.asdict(_facts(number)) | {"column_site": f"site {number}"}
            mode = _kind(number)[2]
            label = "" if number == 8 else "ä"  # of an unlabelled one
            rows.write(f"id{number}", f"ä/{number}", label, given, mode, facts, hashes, thumbnail)
    assert pq.read_metadata(path).num_rows == len(numbers), "complete, the writer still there"
    return str(path)


def test_rows_come_back(tmp_path):
    numbers = range(2300)
    paths = [_write(tmp_path / "a", numbers[:1500]), _write(tmp_path / "b", numbers[1500:])]
    assert pq.read_metadata(paths[0]).num_row_groups == 2, "written a thousand at a time"
    pictures = picture_table.read_staged(paths)
    assert pictures.ids == [f"id{number}" for number in numbers]
    assert pictures.paths[7] == "ä/7" and pictures.labels[7:10] == ["ä", "", "ä"]
    assert pictures.given[:2] == [None, "test"]
    assert pictures.sides.tolist() == [min(20 + number, 30) for number in numbers]
    assert pictures.hashes[2299].tolist() == [2**63 + 2299 + form for form in range(8)]
    assert (pictures.thumbnails[2299] == 2299 % 256).all()
    assert pictures.kinds == [_kind(number) for number in numbers]


def test_published(tmp_path):
    paths = [
        _write(tmp_path / "a", range(1500)),
        _write(tmp_path / "b", []),
        _write(tmp_path / "c", [7]),
    ]
    groups = [f"group{row}" for row in range(1501)]
    splits = [None if row in (3, 1200) else "train" for row in range(1500)] + ["test"]
    picture_table.publish(
        paths, groups, splits, str(tmp_path / "pictures.parquet"), ["column_site"]
    )
    table = pq.read_table(tmp_path / "pictures.parquet")
    assert table.column_names == [
        *("image_id", "path", "group", "label", "split", "width", "height", "bytes", "format"),
        *("orientation", "brightness", "contrast", "sharpness", "aspect", "colourfulness"),
        "column_site",
    ]
    rows = table.to_pylist()
    assert len(rows) == 1499 and not {"id3", "id1200"} & {row["image_id"] for row in rows}
    assert [row["label"] for row in rows[6:9]] == ["ä", "", "ä"], "without id3"
    last = rows[-1]
    assert (last["image_id"], last["group"], last["split"]) == ("id7", "group1500", "test")
    assert (last["width"], last["format"], last["sharpness"]) == (27, "JPEG", 3.5)
    assert last["column_site"] == "site 7"
