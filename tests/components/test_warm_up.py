"""The requests that TensorFlow Serving replays: in its format, answered by a model of Graft's."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from components import picture_formats, warm_up


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    warm_up.write_requests(tmp_path, 32)
    return tmp_path


def test_each_record_is_a_request_to_the_serving_signature(folder):
    file = folder / "assets.extra" / "tf_serving_warmup_requests"
    records = list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
    assert 0 < len(records) < 1000, "the most that TensorFlow Serving takes"
    for record in records:
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.signature_name == "serving_default"
        assert list(request.inputs) == ["image_bytes"]
        tensor = tf.make_ndarray(request.inputs["image_bytes"])
        assert tensor.ndim == 1 and tensor.dtype == object


def test_the_pictures_come_back_and_are_pictures(folder):
    requests = warm_up.read_requests(folder)
    assert sorted(map(len, requests)) == [1, 1, 1, 4]
    shown = [tf.io.decode_image(batch[0]).numpy() for batch in requests]
    sides = {picture.shape for picture in shown}
    assert sides == {(n, n, 3) for n in (32, 128)}, "one is decoded at half its size"
    assert all(picture.min() < 9 and picture.max() > 246 for picture in shown), "black to white"
    formats = {picture_formats.format_of(picture) for batch in requests for picture in batch}
    assert formats == {"JPEG", "PNG"}
    assert (folder / warm_up.WARM_UP_FILE).stat().st_size < 20_000


def test_the_same_network_size_gives_the_same_bytes(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "assets.extra").mkdir()
    warm_up.write_requests(other, 32)
    file = warm_up.WARM_UP_FILE
    assert (other / file).read_bytes() == (folder / file).read_bytes()


def test_a_model_without_the_file_has_no_requests(tmp_path):
    assert warm_up.read_requests(tmp_path) == []


def test_a_damaged_file_is_an_error(folder):
    file = folder / warm_up.WARM_UP_FILE
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(tf.errors.DataLossError):
        warm_up.read_requests(folder)
