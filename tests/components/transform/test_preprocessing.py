"""The one graph for pixels, as training and serving call it."""

import io

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

from components.transform import preprocessing
from components.transform.config import AugmentationSettings, TransformSettings


@pytest.fixture(scope="module")
def pixels_of(analyzed):
    """`pixels_of(images, view)`: float32 [batch, 32, 32, 3] of encoded pictures."""
    layer = tft.TFTransformOutput(analyzed.folder).transform_features_layer()

    def pixels_of(images, view=0, image_ids=None):
        ids = image_ids or [str(i) for i in range(len(images))]
        raw = {
            "image": tf.constant(images, tf.string),
            "image_id": tf.constant(ids, tf.string),
            "view": tf.broadcast_to(tf.constant(view, tf.int64), [len(images)]),
        }
        return layer(raw)["image_xf"].numpy()

    return pixels_of


def plain(image):
    """What view 0 must be, written out a second time: decode, antialiased resize, to [-1, 1]."""
    decoded = np.asarray(Image.open(io.BytesIO(image)))
    return tf.image.resize(decoded, [32, 32], antialias=True).numpy() / 127.5 - 1.0


def test_pictures_are_decoded_and_augmented_by_one_trace_however_often_the_graph_is_made(
    monkeypatch,
):
    settings = AugmentationSettings(rotation=0.125)
    decoder, augmenter = preprocessing._decoder(48), preprocessing._augmenter(48, settings, 3)
    texts, numbers = tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int64)
    config = {
        "settings": TransformSettings(
            image_size=48, augmentation=settings, seed=3
        ).model_dump_json()
    }
    monkeypatch.setattr(tft, "compute_and_apply_vocabulary", lambda labels, **_: labels)
    for _ in range(3):
        graph = tf.function(
            lambda image, image_id, label, view: preprocessing.preprocessing_fn(
                {"image": image, "image_id": image_id, "label": label, "view": view}, config
            ),
            autograph=False,
        )
        graph.get_concrete_function(texts, texts, texts, numbers)
    assert decoder.experimental_get_tracing_count() == 1
    assert augmenter.experimental_get_tracing_count() == 1


@pytest.fixture
def eagerly():
    """Functions of TensorFlow run as Python within the test."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_pictures_are_augmented_by_the_seed_of_the_recipe(monkeypatch, eagerly):
    asked = []

    def augment(pixels, image_hash, view, settings, seed):
        asked.append((image_hash.numpy().tolist(), view.numpy().tolist(), settings.rotation, seed))
        return pixels

    monkeypatch.setattr(preprocessing, "augment", augment)
    monkeypatch.setattr(tft, "compute_and_apply_vocabulary", lambda labels, **_: labels)
    settings = TransformSettings(image_size=8, augmentation={"rotation": 0.25}, seed=7)
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    inputs = {
        "image": tf.constant([file.getvalue()] * 3),
        "image_id": tf.constant(["a", "a", "b"]),
        "view": tf.constant([1, 2, 1], tf.int64),
        "label": tf.constant(["cat"] * 3),
    }
    config = {"settings": settings.model_dump_json()}
    outputs = preprocessing.preprocessing_fn(inputs, config)
    assert outputs["image_xf"].shape == (3, 8, 8, 3)
    (((one, again, other), *rest),) = asked
    assert one == again != other and rest == [[1, 2, 1], 0.25, 7]


def test_view_0_is_the_plain_path(analyzed, pixels_of):
    images = [image for image, _ in analyzed.pictures[:5]]
    np.testing.assert_allclose(
        pixels_of(images), np.stack([plain(image) for image in images]), atol=1e-5
    )


def test_equal_picture_and_view_give_equal_pixels_and_others_differ(analyzed, pixels_of):
    images = [image for image, _ in analyzed.pictures[:5]]
    first = pixels_of(images, view=1)
    np.testing.assert_array_equal(first, pixels_of(images, view=1))
    assert np.abs(first - pixels_of(images)).mean() > 0.02
    assert np.abs(first - pixels_of(images, view=2)).mean() > 0.02
    assert np.abs(first - pixels_of(images, view=1, image_ids=list("vwxyz"))).mean() > 0.02


def test_a_picture_is_augmented_alike_in_any_batch(analyzed, pixels_of):
    images = [image for image, _ in analyzed.pictures[:5]]
    together = pixels_of(images, view=3)
    alone = pixels_of(images[2:3], view=3, image_ids=["2"])
    np.testing.assert_allclose(together[2:3], alone, atol=1e-6)


def test_views_may_differ_within_a_batch(analyzed, pixels_of):
    images = [image for image, _ in analyzed.pictures[:3]]
    mixed = pixels_of(images, view=[0, 2, 0])
    np.testing.assert_array_equal(mixed[[0, 2]], pixels_of(images)[[0, 2]])
    np.testing.assert_allclose(mixed[1], pixels_of(images, view=2)[1], atol=1e-6)


def test_an_empty_batch_gives_an_empty_batch(pixels_of):
    assert pixels_of([]).shape == (0, 32, 32, 3)


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (640, 480)])
def test_every_size_and_shape_comes_out_as_a_square(pixels_of, size):
    file = io.BytesIO()
    Image.new("RGB", size, (255, 0, 0)).save(file, "PNG")
    pixels = pixels_of([file.getvalue()])
    np.testing.assert_allclose(pixels[0], np.tile([1.0, -1.0, -1.0], (32, 32, 1)), atol=1e-4)


@pytest.mark.slow
def test_labels_become_indices_into_the_vocabulary(analyzed):
    output = tft.TFTransformOutput(analyzed.folder)
    vocabulary = output.vocabulary_by_name("labels")
    assert sorted(vocabulary) == [b"bar", b"disc", b"frame"]
    # In a graph, as at serving: there what needs the missing picture is pruned away.
    layer = tf.function(output.transform_features_layer())
    labels = layer({"label": tf.constant([b"frame", b"bar"])})["label_xf"].numpy()
    assert [vocabulary[i] for i in labels] == [b"frame", b"bar"]


@pytest.mark.parametrize(
    ("kind", "mode"), [("BMP", "RGB"), ("BMP", "P"), ("BMP", "1"), ("WEBP", "RGB"), ("TIFF", "RGB")]
)
def test_formats_that_training_never_sees_are_refused(pixels_of, kind, mode):
    file = io.BytesIO()
    Image.new(mode, (40, 30)).save(file, kind)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Unknown image file format"):
        pixels_of([file.getvalue()])


@pytest.mark.parametrize("which", ["abc", "aab", "aba", "aaa"])
def test_each_place_in_a_batch_has_its_own_picture_copy_or_not(analyzed, pixels_of, which):
    pictures = dict(zip("abc", (image for image, _ in analyzed.pictures[::16]), strict=True))
    found = pixels_of([pictures[one] for one in which])
    np.testing.assert_allclose(found, [plain(pictures[one]) for one in which], atol=1e-5)
