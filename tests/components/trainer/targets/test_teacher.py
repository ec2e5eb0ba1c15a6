"""The teacher: found, matched by the names of its classes, asked once, refused in one line."""

import gc
import shutil

import numpy as np
import pytest
import tensorflow as tf

from components.pixels import decode
from components.pusher.push import republish
from components.trainer.settings.distillation import DistillationSettings
from components.trainer.targets import teacher, teacher_files

CLASSES = ("bar", "disc", "frame")  # of the pictures
KNOWN = ("frame", "bar", "disc", "star")
PROBABILITIES = (0.4, 0.3, 0.2, 0.1)

PICTURES = tf.TensorSpec([None], tf.string, "pictures")
PIXELS = tf.TensorSpec([None, 8, 8, 3], tf.float32, "pixels")


def save(folder, answer, spec=PICTURES, classes=KNOWN, name="serving_default", variable=None):
    """A SavedModel that answers with `answer(inputs)`."""
    module = tf.Module()
    module.variable = variable
    module.answer = tf.function(answer, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures={name: module.answer})
    if classes:
        (folder / "assets.extra").mkdir()
        (folder / "assets.extra" / "classes.txt").write_text("".join(f"{c}\n" for c in classes))
    return folder


def constant(pictures):
    """The same for every picture."""
    rows = tf.tile(tf.constant([PROBABILITIES]), [tf.shape(pictures)[0], 1])
    return {"probabilities": rows, "probability": rows[:, 0]}


def settings(folder, **others):
    return DistillationSettings(teacher=str(folder), **others)


def targets(folder, analyzed, cache, **others):
    cache.mkdir(exist_ok=True)
    return teacher.teacher_targets(settings(folder, **others), [analyzed.file], CLASSES, cache)


def test_answers_are_matched_by_name_and_kept(analyzed, tmp_path):
    folder = save(tmp_path / "teacher", constant)
    found = targets(folder, analyzed, tmp_path / "cache")
    assert found.dtype == np.float32 and found.shape == (48, 4)
    assert found[:, 0].tolist() == [CLASSES.index(name) for _, name in analyzed.pictures]
    np.testing.assert_allclose(np.exp(found[:, 1:]), [[0.3, 0.2, 0.4]] * 48, rtol=1e-5)
    (tmp_path / "cache" / "targets.npy").write_bytes(b"cut off")
    made_again = targets(folder, analyzed, tmp_path / "cache")
    np.testing.assert_array_equal(made_again, found)
    shutil.rmtree(folder)
    again = targets(folder, analyzed, tmp_path / "cache")
    np.testing.assert_array_equal(again, found, "an interrupted training does not ask again")


def colours(pixels):
    return {"scores": tf.reduce_mean(pixels, axis=[1, 2])}


@pytest.mark.slow
@pytest.mark.parametrize(("value_range", "scale"), [("unit", 1 / 255), ("raw", 1.0)])
def test_a_teacher_that_takes_pixels_gets_those_of_its_range(
    value_range, scale, analyzed, tmp_path
):
    folder = save(tmp_path / "teacher", colours, PIXELS, classes=None)
    others = {"value_range": value_range, "output": "logits", "classes": CLASSES}
    found = targets(folder, analyzed, tmp_path / "cache", **others)
    logits = [np.mean(decode(picture, [8, 8]), axis=(0, 1)) for picture, _ in analyzed.pictures]
    expected = tf.nn.log_softmax(scale * np.array(logits))
    np.testing.assert_allclose(found[:, 1:], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_one_number_is_that_of_the_second_of_two_classes(output, tmp_path):
    value = {"probabilities": 0.8, "logits": np.log(4.0)}[output]
    folder = save(
        tmp_path / "teacher",
        lambda pictures: {output: tf.fill([tf.size(pictures), 1], np.float32(value))},
        # One says that it takes a batch of strings, the other strings of any shape.
        {"probabilities": PICTURES, "logits": tf.TensorSpec(None, tf.string)}[output],
    )
    ask = teacher.load_teacher(settings(folder), folder)
    np.testing.assert_allclose(np.exp(ask(tf.constant(["", ""]))), [[0.2, 0.8]] * 2, rtol=1e-5)


def test_a_teacher_keeps_what_it_has_learnt_for_as_long_as_it_is_asked(tmp_path):
    gc.freeze()  # what others have left is not searched
    learnt = tf.Variable([PROBABILITIES])
    folder = save(
        tmp_path / "teacher",
        lambda pictures: {"probabilities": tf.repeat(learnt, tf.size(pictures), axis=0)},
        variable=learnt,
    )
    ask = teacher.load_teacher(settings(folder), folder)
    gc.collect()
    gc.unfreeze()
    np.testing.assert_allclose(np.exp(ask(tf.constant(["", ""]))), [PROBABILITIES] * 2, rtol=1e-5)


def test_of_served_versions_the_one_that_is_served_teaches(tmp_path):
    for version in ("1000", "2000"):
        save(tmp_path / version, constant)
    assert teacher_files.teacher_folder(settings(tmp_path)).name == "2000"
    before = teacher_files.fingerprint(settings(tmp_path))
    republish(tmp_path, "1000", "")
    assert teacher_files.teacher_folder(settings(tmp_path)).name == "2001"
    assert teacher_files.fingerprint(settings(tmp_path)) != before
    assert teacher_files.fingerprint(None) == ""


def test_a_teacher_that_cannot_be_is_found_before_any_work(tmp_path):
    with pytest.raises(ValueError, match=r"distillation\.teacher: .*nowhere is no folder"):
        teacher_files.check_teacher(settings(tmp_path / "nowhere"), CLASSES)
    with pytest.raises(ValueError, match=r"holds no saved_model\.pb"):
        teacher_files.check_teacher(settings(tmp_path), CLASSES)
    folder = save(tmp_path / "teacher", constant)
    teacher_files.check_teacher(settings(folder), CLASSES)
    with pytest.raises(ValueError, match=r"frames \(did you mean `frame`\?\)\. It knows frame"):
        teacher_files.check_teacher(settings(folder), ["bar", "frames"])
    nameless = save(tmp_path / "nameless", constant, classes=None)
    with pytest.raises(ValueError, match=r"in distillation\.classes"):
        teacher_files.check_teacher(settings(nameless), CLASSES)
    teacher_files.check_teacher(settings(nameless, classes=KNOWN), CLASSES)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "other"}, "has no signature serving_default"),
        ({"spec": tf.TensorSpec([None, 8], tf.float32)}, "must take one input: .* it takes Tensor"),
        ({"spec": tf.TensorSpec([None, None, None, 3], tf.float32)}, "must take one input"),
        (
            {"spec": tf.TensorSpec([None, 8, 8, 3], tf.uint8)},
            "must take one input: .* dtype=tf.uint8",
        ),
        ({"spec": tf.TensorSpec([None, 8], tf.string)}, "must take one input: .* dtype=tf.string"),
        (
            {"answer": lambda x: {"a": tf.zeros([1, 3]), "b": tf.zeros([1, 3])}},
            "must give `probabilities` or `logits`, or one output alone; it gives a, b",
        ),
        ({"classes": (*KNOWN, "moon")}, "gives 4 numbers per picture, but there are 5 names in as"),
        ({"classes": KNOWN[:3]}, "gives 4 numbers per picture, but there are 3 names in assets"),
    ],
)
def test_a_model_that_is_no_teacher_is_refused(changes, says, analyzed, tmp_path):
    folder = save(tmp_path / "teacher", **{"answer": constant, **changes})
    with pytest.raises(ValueError, match=says):
        targets(folder, analyzed, tmp_path / "cache")


def test_a_damaged_teacher_is_named(tmp_path, monkeypatch):
    def load(*_):
        raise OSError("variables.index\nis cut short")

    folder = save(tmp_path / "teacher", constant)
    with monkeypatch.context() as patch, pytest.raises(ValueError, match=r"\(variables\.index is"):
        patch.setattr(tf.saved_model, "load", load)
        teacher.load_teacher(settings(folder), folder)
    (folder / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"distillation\.teacher: .* cannot be loaded \(.+\)$"):
        teacher.load_teacher(settings(folder), folder)


def test_names_that_the_recipe_gives_are_counted_against_the_answers(analyzed, tmp_path):
    folder = save(tmp_path / "teacher", constant)
    with pytest.raises(ValueError, match=r"there are 3 names in distillation\.classes$"):
        targets(folder, analyzed, tmp_path / "cache", classes=KNOWN[:3])
    assert not (tmp_path / "cache" / "targets.npy").exists()


def test_the_names_of_the_recipe_go_before_those_of_the_model_in_their_own_order(
    analyzed, tmp_path
):
    folder = save(tmp_path / "teacher", constant)
    found = targets(folder, analyzed, tmp_path / "cache", classes=("star", "disc", "bar", "frame"))
    np.testing.assert_allclose(np.exp(found[:, 1:]), [[0.2, 0.3, 0.1]] * 48, rtol=1e-5)


def test_a_probability_of_zero_has_a_logarithm(tmp_path):
    folder = save(
        tmp_path / "teacher",
        lambda pictures: {
            "probabilities": tf.tile([[0.0, 1.0]], [tf.size(pictures), 1]),
            "logits": tf.zeros([tf.size(pictures), 2]),
        },
    )
    answer = teacher.load_teacher(settings(folder), folder)(tf.constant([""]))
    np.testing.assert_allclose(answer, [[np.log(1e-12), 0.0]], atol=1e-4)


def test_pixels_have_the_height_and_width_of_the_signature(analyzed, tmp_path):
    seen = tf.TensorSpec([None, 6, 4, 3], tf.float32)

    def shape(pixels):
        sums = [tf.reduce_sum(tf.ones_like(pixels), axis) for axis in ([1, 2, 3], [2, 3])]
        return {"logits": tf.stack([sums[0], sums[1][:, 0]], axis=1)}

    folder = save(tmp_path / "teacher", shape, seen)
    ask = teacher.load_teacher(settings(folder), folder)
    picture = tf.constant([analyzed.pictures[0][0]])
    np.testing.assert_allclose(ask(picture), tf.nn.log_softmax([[72.0, 12.0]]))


def test_a_teacher_that_does_more_than_compute_is_not_loaded(tmp_path, monkeypatch):
    folder = save(
        tmp_path / "teacher",
        lambda pictures: {"logits": tf.strings.to_number(tf.map_fn(tf.io.read_file, pictures))},
    )
    monkeypatch.setattr(tf.saved_model, "load", lambda *_: pytest.fail("loaded"))
    with pytest.raises(ValueError, match=r"distillation\.teacher: .*ReadFile"):
        teacher.load_teacher(settings(folder), folder)
