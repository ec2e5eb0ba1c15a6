"""bf16 in convolutions: chosen by the CPU's flags, in the phases alone, and gone afterwards."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.fitting import precision
from components.trainer.fitting.phases import run_phases
from components.trainer.inputs.phase_inputs import PhaseInput
from components.trainer.network.classifier import BackboneLayer
from components.trainer.settings.trainer import TrainingSettings


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    """`cpu(flags)`: the machine has a CPU of these flags; None: nobody says which it has."""

    def set_flags(flags: str | None) -> None:
        file = tmp_path / "cpuinfo"
        if flags is not None:
            file.write_text(f"processor\t: 0\nflags\t\t: fpu {flags} sse\nbugs\t\t:\n")
        monkeypatch.setattr(precision, "_CPU", file)

    return set_flags


@pytest.mark.parametrize(
    ("flags", "auto"),
    [
        ("avx512_bf16", "bf16"),
        ("avx2 amx_bf16 amx_tile", "bf16"),
        ("avx512f avx512_fp16", "float32"),
        (None, "float32"),
    ],
)
def test_auto_goes_by_the_flags_and_float32_stays(cpu, flags, auto):
    cpu(flags)
    assert precision.resolve("auto") == auto
    assert precision.resolve("float32") == "float32"


def test_bf16_where_there_is_none_says_what_to_set(cpu):
    cpu("avx2")
    with pytest.raises(ValueError, match=r"training\.precision is `bf16`, .* amx_bf16.* `auto`"):
        precision.resolve("bf16")
    cpu("avx512_bf16")
    assert precision.resolve("bf16") == "bf16"


def classifier() -> keras.Model:
    keras.utils.set_random_seed(0)
    x = pixels = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, name="conv")(x)
    x = keras.layers.BatchNormalization(name="normalization")(x)
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(x)
    network = keras.Model(pixels, x)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(BackboneLayer(network, name="backbone")(inputs))
    return keras.Model(inputs, keras.layers.Dense(1)(x))


def policies(model: keras.Model) -> dict[str, str]:
    layers = model.get_layer("backbone").network.layers
    return {layer.name: layer.dtype_policy.name for layer in layers if layer.weights}


def test_convolutions_alone_are_bf16_and_only_inside():
    model = classifier()
    pixels = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32)
    plain = np.asarray(model(pixels))
    with precision.convolutions_in(model.get_layer("backbone").network, "bf16"):
        assert policies(model) == {
            "conv": "mixed_bfloat16",
            "normalization": "float32",
            "depthwise": "mixed_bfloat16",
        }
        inside = np.asarray(model(pixels))
    assert inside.dtype == np.float32
    assert 0 < np.abs(inside - plain).max() < 0.05 * np.abs(plain).max()
    assert set(policies(model).values()) == {"float32"}
    assert np.array_equal(np.asarray(model(pixels)), plain)


@pytest.mark.slow
def test_a_phase_learns_in_it_and_leaves_a_float32_network(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(16) % 2
    pixels = (rng.normal(0, 0.1, (16, 8, 8, 3)) + labels[:, None, None, None]).astype(np.float32)
    batch = tf.data.Dataset.from_tensors((pixels, labels))
    settings = TrainingSettings(
        batch_size=16,
        frozen={"epochs": 0},
        unfrozen={"epochs": 3, "fine_tune_at": "all", "optimizer": "sgd", "learning_rate": 0.1},
    )
    weights, losses = {}, {}
    for name in ("float32", "bf16"):
        model = classifier()
        inputs = {"unfrozen": PhaseInput(model, lambda first: batch.repeat(), batch)}
        folder = tmp_path / name
        folder.mkdir()
        (result,), _ = run_phases(model, inputs, settings, 16, str(folder), folder, precision=name)
        assert set(policies(model).values()) == {"float32"}
        assert {weight.dtype for weight in model.get_weights()} == {np.dtype("float32")}
        weights[name], losses[name] = model.get_weights(), result.history["loss"]
    assert losses["bf16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["bf16"] != losses["float32"], "it was computed otherwise"
    assert losses["bf16"][-1] < losses["bf16"][0]
