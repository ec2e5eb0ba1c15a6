"""Thumbnails of pictures of the test split."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tfx.types import standard_artifacts

from components.errors import UserError
from components.evaluator import thumbnails
from components.evaluator.executor import _example_files


def encoded(size, kind="JPEG", mode="RGB", **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, "red" if mode == "RGB" else 0).save(file, kind, **options)
    return file.getvalue()


def opened(thumbnail) -> Image.Image:
    return Image.open(io.BytesIO(thumbnail[1]))


def test_they_are_of_the_pictures_that_are_asked_for(examples, tmp_path):
    files = [str(path) for path in (examples / "Split-test").iterdir()]
    ids = [f"{number:064x}" for number in (3, 40)]
    for wanted in (ids, [*ids, "of another split"]):
        thumbnails.write_thumbnails(tmp_path, files, wanted)
        read, heat = thumbnails.read_thumbnails(tmp_path)
        assert list(read) == ids and heat == {}
    media, _ = read[ids[0]]
    assert media == "image/png" and opened(read[ids[0]]).size == (12, 12)


def test_they_are_made_in_the_order_of_the_splits_and_of_the_shards_in_each(tmp_path):
    examples = standard_artifacts.Examples()
    examples.uri, examples.split_names = str(tmp_path), '["a", "b"]'
    files = [
        tmp_path / f"Split-{split}" / f"shard-{number}" for split in "ba" for number in "12345678"
    ]
    for file in reversed(files):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert _example_files([examples], ["b", "a"]) == [str(file) for file in files]


def test_there_may_be_none(tmp_path):
    thumbnails.write_thumbnails(tmp_path, [], [])
    assert thumbnails.read_thumbnails(tmp_path) == ({}, {})


def test_they_are_upright_and_small():
    exif = Image.Exif()
    exif[0x0112] = 6
    made = thumbnails.make_thumbnail(encoded((2000, 1000), exif=exif))
    assert made[0] == "image/jpeg" and opened(made).size == (56, 112)
    assert len(made[1]) < 4_000


@pytest.mark.parametrize(
    ("size", "media", "small"),
    [
        ((56, 56), "image/png", (56, 56)),
        ((57, 40), "image/jpeg", (57, 40)),
        ((40, 224), "image/jpeg", (20, 112)),
    ],
)
def test_only_what_is_small_on_both_sides_keeps_its_pixels(size, media, small):
    made = thumbnails.make_thumbnail(encoded(size))
    assert made[0] == media and opened(made).size == small


def test_a_large_picture_that_was_let_through_is_no_warning(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200 * 200 - 1)
    assert opened(thumbnails.make_thumbnail(encoded((200, 200)))).size == (112, 112)


def test_a_damaged_picture_and_one_that_cannot_be_shown_have_none(tmp_path, monkeypatch, caplog):
    data = {
        "damaged": b"\xff\xd8\xff no picture",
        "of 32 bits": encoded((9, 9), "TIFF", mode="F"),
        "whole": encoded((9, 9)),
    }
    monkeypatch.setattr(thumbnails, "_pictures", lambda examples, wanted: data.items())
    thumbnails.write_thumbnails(tmp_path, [], data)
    assert list(thumbnails.read_thumbnails(tmp_path)[0]) == ["whole"]
    assert "damaged" in caplog.text and "of 32 bits" in caplog.text


@pytest.mark.parametrize("content", [None, b"PAR1 of nothing", {"image_id": ["a"]}])
def test_a_file_that_is_missing_or_damaged_is_named(tmp_path, content):
    if isinstance(content, bytes):
        (tmp_path / thumbnails.THUMBNAILS_FILE).write_bytes(content)
    elif content:
        pq.write_table(pa.table(content), tmp_path / thumbnails.THUMBNAILS_FILE)
    with pytest.raises(UserError, match=r"thumbnails\.parquet is missing or damaged"):
        thumbnails.read_thumbnails(tmp_path)


def test_a_heat_map_lies_over_those_that_are_to_be_explained(tmp_path, monkeypatch):
    data = {"right": encoded((300, 200)), "wrong": encoded((9, 9))}
    monkeypatch.setattr(thumbnails, "_pictures", lambda examples, wanted: data.items())
    asked = []

    def explain(pictures):
        asked.extend(pictures)
        return np.ones((len(pictures), 3, 3), np.float32)

    thumbnails.write_thumbnails(tmp_path, [], data, {"wrong"}, explain)
    read, heat = thumbnails.read_thumbnails(tmp_path)
    assert asked == [data["wrong"]] and list(heat) == ["wrong"] and list(read) == list(data)
    assert opened(heat["wrong"]).size == (112, 112), (
        "that of a small picture is large enough to see"
    )


def test_a_model_that_cannot_explain_leaves_thumbnails(tmp_path, monkeypatch, caplog):
    data = {"wrong": encoded((9, 9))}
    monkeypatch.setattr(thumbnails, "_pictures", lambda examples, wanted: data.items())

    def explain(pictures):
        raise ValueError("broken")

    thumbnails.write_thumbnails(tmp_path, [], data, {"wrong"}, explain)
    read, heat = thumbnails.read_thumbnails(tmp_path)
    assert list(read) == ["wrong"] and heat == {} and "No heat maps" in caplog.text


def test_a_file_of_an_earlier_release_has_no_heat_maps(tmp_path):
    table = pa.table({"image_id": ["a"], "media": ["image/png"], "data": [b"a picture"]})
    pq.write_table(table, tmp_path / thumbnails.THUMBNAILS_FILE)
    assert thumbnails.read_thumbnails(tmp_path) == ({"a": ("image/png", b"a picture")}, {})


def test_whoever_reads_the_file_while_it_is_written_anew_has_all_of_the_earlier_one(tmp_path):
    file = tmp_path / thumbnails.THUMBNAILS_FILE
    file.write_bytes(b"an earlier one")
    with file.open("rb") as reader:
        thumbnails.write_thumbnails(tmp_path, [], [])
        assert reader.read() == b"an earlier one"
    assert list(tmp_path.iterdir()) == [file] and thumbnails.read_thumbnails(tmp_path) == ({}, {})
