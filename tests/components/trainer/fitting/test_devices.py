"""Which devices a training takes, on machines that are told of rather than there."""

import contextlib
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from components.errors import UserError
from components.trainer.fitting import devices, precision
from components.trainer.settings.trainer import TrainingSettings


@pytest.fixture
def machine(monkeypatch):
    """`machine(gpus)`: TensorFlow sees so many GPUs; gives the dtype policies that are set."""

    def see(gpus: int) -> list[str]:
        found = [SimpleNamespace(name=f"/GPU:{number}") for number in range(gpus)]
        for listed in ("list_physical_devices", "list_logical_devices"):
            monkeypatch.setattr(tf.config, listed, lambda kind: found)
        monkeypatch.setattr(tf.distribute, "MirroredStrategy", list)
        monkeypatch.setattr(tf.distribute, "OneDeviceStrategy", str)
        monkeypatch.setattr(tf.distribute, "get_strategy", lambda: "as it is")
        policies = []
        monkeypatch.setattr(keras.config, "set_dtype_policy", policies.append)
        return policies

    return see


@pytest.mark.parametrize(
    ("gpus", "training", "strategy", "policies"),
    [
        (0, {}, "as it is", []),
        (1, {}, "as it is", ["mixed_float16"]),
        (1, {"device": "gpu", "mixed_precision": False}, "as it is", []),
        (2, {}, ["/GPU:0", "/GPU:1"], ["mixed_float16"]),
        (0, {"device": "cpu"}, "as it is", []),
        (2, {"device": "cpu"}, "/CPU:0", []),
    ],
)
def test_it_takes_the_gpus_that_it_may_take(machine, gpus, training, strategy, policies):
    set_here = machine(gpus)
    assert devices.prepare(TrainingSettings(**training)) == strategy
    assert set_here == policies


@pytest.mark.parametrize(
    ("gpus", "device", "placed"),
    [(1, "cpu", ["/CPU:0"]), (1, "auto", []), (1, "gpu", []), (0, "cpu", [])],
)
def test_what_no_strategy_places_leaves_the_gpus_alone_too(
    machine, monkeypatch, gpus, device, placed
):
    machine(gpus)
    asked = []
    monkeypatch.setattr(tf, "device", lambda name: asked.append(name) or contextlib.nullcontext())
    with devices.placement(TrainingSettings(device=device)):
        assert asked == placed


def test_a_gpu_that_is_not_there_is_missed_before_anything_is_set(machine):
    policies = machine(0)
    with pytest.raises(UserError, match=r"training\.device is `gpu`, .* sees no GPU here"):
        devices.prepare(TrainingSettings(device="gpu"))
    assert policies == []


def test_bf16_that_the_cpu_has_not_is_missed_too(machine, monkeypatch):
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    settings = TrainingSettings(precision="bf16")
    machine(0)
    with pytest.raises(UserError, match=r"training\.precision is `bf16`"):
        devices.check_device(settings)
    machine(1)
    devices.check_device(settings)


@pytest.mark.parametrize(
    ("gpus", "device", "found"),
    [(0, "auto", "bf16"), (1, "auto", "float32"), (1, "gpu", "float32"), (1, "cpu", "bf16")],
)
def test_bf16_is_a_matter_of_cpus(machine, monkeypatch, gpus, device, found):
    machine(gpus)
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    assert devices.precision_of(TrainingSettings(device=device, precision="auto")) == found
