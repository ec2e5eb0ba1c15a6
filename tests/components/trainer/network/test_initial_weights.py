"""Where weights come from, and what is said when they do not come."""

import hashlib
import os
import tarfile
import warnings
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from keras.src.legacy.saving import legacy_h5_format

from components.errors import UserError
from components.trainer.export import export
from components.trainer.network import initial_weights, keras_applications
from components.trainer.network.classifier import build_classifier
from components.trainer.network.initial_weights import (
    _load_file,
    check_weights_file,
    fingerprint,
    pretrained_network,
    without_weights,
)
from components.trainer.network.scorer import Scorer
from components.trainer.settings.trainer import BackboneSettings, HeadSettings


def settings(weights, **more):
    return BackboneSettings(**{"alpha": 0.35, "image_size": 96, "weights": str(weights), **more})


@pytest.fixture(scope="module")
def network():
    """Random weights, to be saved and found again."""
    return keras_applications.build("mobilenet_v2", 0.35, 96, None)


@pytest.fixture
def weights_server(monkeypatch, tmp_path, loopback_folder):
    """Keras downloads from this folder, through HTTP on the loopback, into an empty cache."""
    served, cache = tmp_path / "served", tmp_path / "cache"
    served.mkdir()
    cache.mkdir()
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(cache))
    url = f"{loopback_folder(served)}/"
    monkeypatch.setattr(keras.src.applications.mobilenet_v2, "BASE_WEIGHT_PATH", url)
    return served


FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"


@pytest.mark.slow
def test_imagenet_weights_are_downloaded(weights_server, network):
    import h5py

    with h5py.File(weights_server / FILE, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    loaded = pretrained_network(settings("imagenet"))
    for ours, theirs in zip(network.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_imagenet_weights_that_cannot_be_reached_name_the_url_and_the_key(weights_server):
    with pytest.raises(ValueError, match=rf"backbone\.weights: imagenet: .*127\.0\.0\.1.*{FILE}"):
        pretrained_network(settings("imagenet"))


def test_a_saved_model_is_downloaded_into_keras_own_folder(weights_server, tmp_path, monkeypatch):
    module = tf.Module()
    call = tf.function(lambda x: tf.reduce_mean(x, [1, 2]) * 2.0)
    signature = call.get_concrete_function(tf.TensorSpec([None, 32, 32, 3]))
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=signature)
    with tarfile.open(weights_server / "model.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "model", arcname=".")
    url = keras.src.applications.mobilenet_v2.BASE_WEIGHT_PATH + "model.tar.gz"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    digest = hashlib.sha256((weights_server / "model.tar.gz").read_bytes()).hexdigest()
    settings = BackboneSettings(name="saved_model", image_size=32, weights=url, sha256=digest)
    check_weights_file(settings)
    assert pretrained_network(settings).output_shape == (None, 1, 1, 3)
    assert list((tmp_path / "cache" / "graft").iterdir())


@pytest.mark.parametrize("keras_home", ["", None])
def test_without_a_folder_of_keras_it_is_kept_in_the_users_and_its_digest_is_asked_for(
    keras_home, tmp_path, monkeypatch
):
    from components.trainer.network import download

    asked = []
    monkeypatch.setattr(download, "saved_model", lambda *given: asked.append(given))
    monkeypatch.setenv("HOME", str(tmp_path))
    if keras_home is None:
        monkeypatch.delenv("KERAS_HOME", raising=False)
    else:
        monkeypatch.setenv("KERAS_HOME", keras_home)
    url, digest = "https://example.com/model.tar.gz", "a" * 64
    initial_weights.saved_model_folder(
        BackboneSettings(name="saved_model", weights=url, sha256=digest)
    )
    assert asked == [(url, digest, tmp_path / ".keras" / "graft")]


def test_a_file_in_the_place_of_a_saved_model_is_found_before_any_work(tmp_path):
    path = tmp_path / "mine.weights.h5"
    path.touch()
    with pytest.raises(UserError, match=rf"backbone\.weights: there is no folder {path}"):
        check_weights_file(BackboneSettings(name="saved_model", weights=str(path)))


def test_a_file_that_went_away_is_missed_by_its_name(tmp_path):
    with pytest.raises(UserError, match=r"there is no file or folder .*/gone\.h5"):
        pretrained_network(settings(tmp_path / "gone.h5"))


@pytest.mark.slow
def test_a_file_of_weights_is_loaded_at_any_input_size(network, tmp_path):
    path = tmp_path / "mine.weights.h5"
    network.save_weights(path)
    loaded = pretrained_network(settings(path, image_size=64))
    for ours, theirs in zip(network.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.slow
def test_weights_of_another_width_are_refused(network, tmp_path):
    path = tmp_path / "mine.weights.h5"
    network.save_weights(path)
    with pytest.raises(ValueError, match=r"mine\.weights\.h5 does not hold .*alpha 0\.5"):
        pretrained_network(settings(path, alpha=0.5))


def test_a_file_that_is_no_weights_is_refused(tmp_path, monkeypatch):
    small = keras.Sequential([keras.Input([2]), keras.layers.Dense(3)])
    monkeypatch.setattr(keras_applications, "build", lambda *_: small)
    path = tmp_path / "text.weights.h5"
    path.write_text("no weights")
    with pytest.raises(ValueError, match=r"text\.weights\.h5 does not hold the weights"):
        pretrained_network(settings(path))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gone.h5", "no file or folder"),
        ("x.ckpt", "does not end in"),
        ("empty", "holds no saved_model.pb"),
        ("halved", "the variables of .* cannot be read"),
        ("folders", "the variables of .* cannot be read"),
    ],
)
def test_a_wrong_path_is_found_before_any_work(tmp_path, name, says):
    (tmp_path / "x.ckpt").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "halved").mkdir()
    (tmp_path / "halved" / "saved_model.pb").touch()
    (tmp_path / "folders" / "variables" / "variables").mkdir(parents=True)
    (tmp_path / "folders" / "saved_model.pb").touch()
    with pytest.raises(ValueError, match=rf"backbone\.weights: .*{says}"):
        check_weights_file(settings(tmp_path / name))


def test_glyphs_are_other_than_random_and_those_of_the_file():
    network = pretrained_network(settings("glyphs"))
    kernel = network.get_layer("Conv1").kernel
    with np.load(initial_weights.GLYPHS) as arrays:
        np.testing.assert_array_equal(kernel, arrays[kernel.path])
    variance = network.get_layer("bn_Conv1").moving_variance.numpy()
    assert (variance > 0).all() and not np.allclose(variance, 1.0)


def changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        None,
        changed,
        lambda content: content[:-100],
        lambda content: b"",
        lambda content: content.replace(b"kernel", b"nucleo"),
    ],
    ids=["gone", "a byte is wrong", "cut off", "empty", "of another network"],
)
def test_damaged_glyphs_are_told_in_one_line(damage, tmp_path, monkeypatch):
    path = tmp_path / "glyphs.npz"
    np.savez_compressed(path, kernel=np.arange(500, dtype=np.float16))
    weight = SimpleNamespace(path="kernel", assign=lambda value: None)
    monkeypatch.setattr(initial_weights, "GLYPHS", path)
    initial_weights._load_glyphs(SimpleNamespace(weights=[weight]))
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    with pytest.raises(
        UserError, match=r"glyphs: .*/glyphs\.npz is damaged; reinstall Graft \(.+\)$"
    ):
        initial_weights._load_glyphs(SimpleNamespace(weights=[weight]))


@pytest.fixture(scope="module")
def graft_model(analyzed, tmp_path_factory):
    """A served classifier, and the weights of its backbone."""
    model = build_classifier(settings("none", image_size=32), HeadSettings(), 3, steps=1)
    folder = tmp_path_factory.mktemp("served") / "1"
    export(Scorer(model), tft.TFTransformOutput(analyzed.folder), ["a", "b", "c"], str(folder))
    return folder, model.get_layer("backbone").network.get_weights()


@pytest.mark.slow
def test_an_earlier_graft_model_gives_its_backbone_at_any_input_size(graft_model):
    folder, weights = graft_model
    check_weights_file(settings(folder))
    loaded = pretrained_network(settings(folder, image_size=64)).get_weights()
    assert len(loaded) == 260
    for ours, theirs in zip(loaded, weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("other", [{"alpha": 0.5}, {"name": "mobilenet_v3_small", "alpha": 1.0}])
def test_an_earlier_graft_model_of_another_network_is_refused(graft_model, other):
    folder, _ = graft_model
    with pytest.raises(ValueError, match=rf"Graft model {folder} was made from another network"):
        pretrained_network(settings(folder, **other))


def test_a_saved_model_that_is_none_of_grafts_is_refused(tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path))
    with pytest.raises(ValueError, match=r"none that Graft has made.*name: saved_model"):
        check_weights_file(settings(tmp_path))


def test_what_is_set_afterwards_is_not_read_before(tmp_path):
    gone = tmp_path / "gone.h5"
    assert without_weights(settings(gone)) == settings("none")
    feature_vector = BackboneSettings(name="saved_model", weights=str(gone))
    assert without_weights(feature_vector) == feature_vector


def test_the_fingerprint_follows_the_files_behind_a_path(tmp_path):
    path = tmp_path / "mine.weights.h5"
    path.write_bytes(b"one")
    time = path.stat().st_mtime_ns
    before = fingerprint(settings(path))
    assert before == fingerprint(settings(path))
    path.write_bytes(b"other")
    assert before != fingerprint(settings(path))
    path.write_bytes(b"one")
    os.utime(path, ns=(time, time))
    assert before == fingerprint(settings(path))
    os.utime(path, ns=(time, time + 1))
    assert before != fingerprint(settings(path)), "rewritten with as many bytes"
    for weights in ("imagenet", "glyphs", "none"):
        assert fingerprint(settings(weights)) == ""
    url = "https://example.com/model.tar.gz"
    elsewhere = BackboneSettings(name="saved_model", weights=url, trust_url=True)
    assert fingerprint(elsewhere) == ""


def test_the_fingerprint_of_a_folder_follows_every_file_in_it(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "variables.index").write_bytes(b"one")
    before = fingerprint(settings(tmp_path))
    (tmp_path / "variables" / "variables.index").write_bytes(b"other")
    assert before != fingerprint(settings(tmp_path))


def test_a_whole_keras_model_is_refused_and_of_an_h5_its_numbers_alone_are_taken(
    tmp_path, monkeypatch
):
    def small(*layers):
        return keras.Sequential([keras.Input([2]), keras.layers.Dense(3, name="dense"), *layers])

    theirs = small(keras.layers.Lambda(lambda x: x, name="theirs"))
    theirs.save(tmp_path / "theirs.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older format is what this is about
        theirs.save(tmp_path / "theirs.h5")
    with pytest.raises(UserError, match=r"theirs\.keras is a whole Keras model, .* Lambda layer"):
        check_weights_file(BackboneSettings(weights=f"{tmp_path}/theirs.keras"))
    monkeypatch.setattr(keras.layers.Lambda, "from_config", None)
    monkeypatch.setattr(keras.models, "load_model", None)
    ours = small(keras.layers.Activation("linear", name="ours"))
    settings = BackboneSettings(weights=f"{tmp_path}/theirs.h5")
    check_weights_file(settings)
    _load_file(ours, settings)
    np.testing.assert_array_equal(ours.get_weights()[0], theirs.get_weights()[0])


def test_what_a_layer_derives_from_its_weights_is_derived_from_the_new_ones(monkeypatch):
    def build(*_):
        pixels = keras.Input((2, 2, 1))
        return keras.Model(pixels, keras.layers.Normalization()(pixels))

    def load(network):
        for weight, value in zip(network.weights, ([3.0], [4.0], 0), strict=True):
            weight.assign(value)

    monkeypatch.setattr(keras_applications, "build", build)
    monkeypatch.setattr(initial_weights, "_load_glyphs", load)
    network = pretrained_network(settings("glyphs"))
    np.testing.assert_allclose(network(np.full((1, 2, 2, 1), 7.0)), np.full((1, 2, 2, 1), 2.0))
