"""Where weights come from, and what is said when they do not come."""

import http.server
import threading

import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from components.trainer import backbones
from components.trainer.config import BackboneSettings
from components.trainer.initial_weights import check_weights_file, pretrained_network


def settings(weights, **more):
    return BackboneSettings(**{"alpha": 0.35, "image_size": 96, "weights": str(weights), **more})


@pytest.fixture(scope="module")
def network():
    """Random weights, to be saved and found again."""
    return backbones.build("mobilenet_v2", 0.35, 96, None)


@pytest.fixture
def weights_server(monkeypatch, tmp_path):
    """Keras downloads from this folder, through HTTP on the loopback, into an empty cache."""
    served, cache = tmp_path / "served", tmp_path / "cache"
    served.mkdir()
    cache.mkdir()
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(cache))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(served))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setattr(keras.src.applications.mobilenet_v2, "BASE_WEIGHT_PATH", url)
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"


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


def test_a_file_of_weights_is_loaded_at_any_input_size(network, tmp_path):
    path = tmp_path / "mine.weights.h5"
    network.save_weights(path)
    loaded = pretrained_network(settings(path, image_size=64))
    for ours, theirs in zip(network.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_weights_of_another_width_are_refused(network, tmp_path):
    path = tmp_path / "mine.weights.h5"
    network.save_weights(path)
    with pytest.raises(ValueError, match=r"mine\.weights\.h5 does not hold .*alpha 0\.5"):
        pretrained_network(settings(path, alpha=0.5))


def test_a_file_that_is_no_weights_is_refused(tmp_path):
    path = tmp_path / "text.weights.h5"
    path.write_text("no weights")
    with pytest.raises(ValueError, match=r"text\.weights\.h5 does not hold the weights"):
        pretrained_network(settings(path))


@pytest.mark.parametrize(("name", "says"), [("gone.h5", "no file"), ("x.ckpt", "does not end in")])
def test_a_wrong_path_is_found_before_any_work(tmp_path, name, says):
    (tmp_path / "x.ckpt").touch()
    with pytest.raises(ValueError, match=rf"backbone\.weights: .*{says}"):
        check_weights_file(settings(tmp_path / name))


def test_glyphs_are_other_than_random_and_the_same_each_time():
    first, second = (pretrained_network(settings("glyphs")) for _ in range(2))
    kernel = first.get_layer("Conv1").kernel.numpy()
    np.testing.assert_array_equal(kernel, second.get_layer("Conv1").kernel.numpy())
    variance = first.get_layer("bn_Conv1").moving_variance.numpy()
    assert (variance > 0).all() and not np.allclose(variance, 1.0)
