"""How `graft predict` reads files, and what it says of those that a model refuses."""

import pytest
import tensorflow as tf

from components.classes import write_classes
from components.errors import UserError
from pipeline.commands import predict_model
from pipeline.commands.predict_model import read_file


@pytest.fixture
def files(tmp_path):
    """`files(*sizes)` writes such files; gives their paths."""

    def files(*sizes: int) -> list[str]:
        paths = [tmp_path / f"{number}.jpg" for number in range(len(sizes))]
        for path, size in zip(paths, sizes, strict=True):
            path.write_bytes(b"x" * size)
        return list(map(str, paths))

    return files


def test_a_batch_ends_where_its_files_are_many_or_large(files, monkeypatch):
    def sizes(*of_files: int) -> list[list[int]]:
        batches = predict_model._read_batches(files(*of_files))
        return [[len(file.data) for file in batch] for batch in batches]

    monkeypatch.setattr(predict_model, "_BATCH_BYTES", 10)
    assert sizes(6, 4, 1, 6, 6, 20, 3) == [[6, 4, 1], [6, 6], [20], [3]]
    monkeypatch.setattr(predict_model, "_BATCH", 2)
    assert sizes(1, 1, 1, 1, 1) == [[1, 1], [1, 1], [1]]
    assert sizes() == []


def test_what_is_no_picture_is_not_read(files, tmp_path, monkeypatch):
    monkeypatch.setattr(predict_model, "_LARGEST_FILE", 1 << 20)
    largest, larger = files(1 << 20, (1 << 20) + 1)
    link = tmp_path / "link.jpg"
    link.symlink_to(largest)
    assert len(read_file(str(link)).data) == 1 << 20
    assert len(read_file(largest).data) == 1 << 20
    assert read_file(larger).error == "larger than 1 MiB"
    assert read_file(str(tmp_path)).error == "not a file"
    assert read_file("/dev/null").error == "not a file", "as reading one may never end"
    assert read_file("a\0b.jpg").error and not read_file("a\0b.jpg").data


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (b"\x89PNG\r\n\x1a\n....", tf.errors.InvalidArgumentError, "damaged PNG"),
        (b"words", tf.errors.InvalidArgumentError, "not a JPEG, PNG or GIF"),
        (b"", tf.errors.InvalidArgumentError, "empty file"),
        (b"words", tf.errors.ResourceExhaustedError, "no memory left"),
    ],
)
def test_why_a_model_refuses_a_file_is_told(data, error, says):
    assert predict_model._refusal(data, error(None, None, "no memory left")) == says
    assert len(predict_model._refusal(data, error(None, None, "no memory left " * 20))) <= 100


def test_a_model_that_answers_something_else_is_none_of_graft(tmp_path):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def serve(self, image_bytes):
            return {"label": image_bytes}

    module = Other()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.serve})
    write_classes(tmp_path, ["cat", "dog"])
    with pytest.raises(UserError, match=r"no model of Graft: TensorFlow cannot load it .*probab"):
        predict_model.Model(tmp_path, explain=False)
