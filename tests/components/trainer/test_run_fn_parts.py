"""The parts of `run_fn`, each without a training."""

import collections
import json
import logging
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from components.errors import UserError
from components.trainer import run_fn as entry_point
from components.trainer.network import keras_applications
from components.trainer.network.classifier import build_classifier
from components.trainer.settings.trainer import BackboneSettings, HeadSettings, TrainerSettings
from components.trainer.targets.pseudo_labels import PseudoLabels
from components.trainer.training_report import ParameterCount, PhaseResult, PseudoLabelCounts


@pytest.mark.parametrize(
    ("views", "shown"),
    [(None, range(6)), (1, None), (2, range(2)), (6, range(6)), (9, range(6))],
)
@pytest.mark.parametrize(("name", "value_range"), [("mobilenet_v2", "tf"), ("resnet50", "caffe")])
def test_as_many_views_are_shown_as_a_picture_has_up_to_six(
    views, shown, name, value_range, monkeypatch
):
    written = []
    records = SimpleNamespace(
        take=lambda count: SimpleNamespace(as_numpy_iterator=lambda: iter([b"first"] * count))
    )
    monkeypatch.setattr(entry_point, "records", lambda files: records)
    monkeypatch.setattr(entry_point, "write_views", lambda *given: written.append(given))
    settings = TrainerSettings(backbone={"name": name}, views=views)
    inputs = SimpleNamespace(settings=settings, reader="reader", labelled_files=["a.gz"])
    entry_point._show_views(inputs, "run")
    expected = [("reader", b"first", shown, value_range, "run")] if shown else []
    assert written == expected


class _StopError(Exception):
    """Ends `run_fn` where a test has seen enough."""


def test_the_state_is_that_of_the_precision_of_this_machine(monkeypatch):
    def stop(fn_args, precision):
        raise _StopError(precision)

    inputs = SimpleNamespace(precision="bf16")
    monkeypatch.setattr(entry_point, "open_inputs", lambda *_: inputs)
    monkeypatch.setattr(entry_point, "resumable_state", stop)
    fn_args = SimpleNamespace(
        custom_config={"settings": TrainerSettings().model_dump_json()},
        transform_output="graph",
        train_files="train",
        eval_files="validation",
    )
    with pytest.raises(_StopError, match="bf16"):
        entry_point.run_fn(fn_args)


def test_a_training_and_its_export_are_placed_where_the_recipe_says(monkeypatch, placed):
    def stop(*_):
        raise _StopError(placed)

    monkeypatch.setattr(entry_point, "open_inputs", lambda *_: SimpleNamespace(precision="bf16"))
    monkeypatch.setattr(entry_point, "resumable_state", stop)
    settings = TrainerSettings(training={"device": "cpu"})
    fn_args = SimpleNamespace(
        custom_config={"settings": settings.model_dump_json()},
        transform_output="graph",
        train_files="train",
        eval_files="validation",
    )
    with pytest.raises(_StopError, match="cpu"):
        entry_point.run_fn(fn_args)


@pytest.mark.parametrize(("accuracy", "stops"), [(0.9, True), (0.91, False)])
@pytest.mark.parametrize("most", ["cat", "dog"])
def test_an_accuracy_that_guessing_gets_on_validation_stops_before_the_training(
    accuracy, stops, most, monkeypatch
):
    def trains(*_):
        raise _StopError("it trains")

    counts = collections.Counter({"cat": 1, "dog": 1, most: 9})
    inputs = SimpleNamespace(validation_files=["a.gz"], precision="float32")
    monkeypatch.setattr(entry_point, "open_inputs", lambda *_: inputs)
    monkeypatch.setattr(entry_point, "count_labels", lambda files: counts)
    monkeypatch.setattr(entry_point, "resumable_state", trains)
    settings = {"serving": {"abstain": {"accuracy": accuracy}}}
    fn_args = SimpleNamespace(
        custom_config={"settings": json.dumps(settings)},
        transform_output="graph",
        train_files="train",
        eval_files="validation",
    )
    says = r"accuracy: 0.9 is no more than what knowing nothing gets \(0.9\)" if stops else "it"
    with pytest.raises(UserError if stops else _StopError, match=says):
        entry_point.run_fn(fn_args)


def test_a_training_hands_on_what_it_was_set_up_with(tmp_path, monkeypatch):
    strategy = SimpleNamespace(scope=lambda: keras.name_scope("any"))
    settings = TrainerSettings(views=3, seed=4)
    inputs = SimpleNamespace(
        settings=settings, strategy=strategy, reader="reader", precision="bf16"
    )
    splits = SimpleNamespace(train_count=17)
    setup = SimpleNamespace(
        model="model", splits=splits, class_weights="weights", judging_weights="judging"
    )
    calls = {}

    def noted(name, answer):
        def call(*given):
            calls[name] = given
            return answer

        monkeypatch.setattr(entry_point, name, call)

    noted("set_up_training", setup)
    noted("require_export_space", None)
    noted("export_bytes", 123)
    noted("phase_inputs", "by phase")
    noted("run_phases", (["result"], "best"))
    trained = entry_point._train(inputs, "own", tmp_path, "kept", "log", "model dir")
    assert trained == entry_point._Trained("model", ["result"], "best")
    training = settings.training
    assert calls == {
        "set_up_training": (inputs, tmp_path, "own"),
        "require_export_space": ("model", "model dir"),
        "export_bytes": ("model",),
        "phase_inputs": (
            "model", training.phases, "reader", splits, 3, 4, "kept", 123, "bf16"
        ),
        "run_phases": (
            "model", "by phase", training, 17, "log", tmp_path, "weights", "judging", None
        ),
    }  # fmt: skip


@pytest.mark.parametrize(("taken", "warns"), [({"a": 2, "b": 0}, False), ({"a": 0}, True)])
def test_it_says_how_many_pictures_it_labelled_itself(taken, warns, caplog):
    settings = TrainerSettings(pseudo_labels={"source": "x", "threshold": 0.8})
    with caplog.at_level(logging.INFO):
        entry_point._tell(PseudoLabels("", PseudoLabelCounts(9, taken)), settings)
    assert f"{sum(taken.values())} of 9 unlabelled pictures reach probability 0.8" in caplog.text
    assert ("no unlabelled picture reaches it" in caplog.text) == warns


def test_a_second_training_has_the_precision_of_the_first(tmp_path, monkeypatch, mixed_precision):
    policies = []

    def label_pictures(model, *_):
        policies.append(keras.config.dtype_policy().name)
        return PseudoLabels("", PseudoLabelCounts(9, {"a": 2}))

    def train(*_):
        policies.append(keras.config.dtype_policy().name)
        kept = SimpleNamespace(name="", rank=1)
        trained = SimpleNamespace(model="model", phases=[kept], kept=kept)
        trained.renamed = lambda pattern: trained
        return trained

    def in_float32(model, *_):
        keras.config.set_dtype_policy("float32")

    monkeypatch.setattr(entry_point, "_train", train)
    monkeypatch.setattr(entry_point, "_in_float32", in_float32)
    monkeypatch.setattr(entry_point.pseudo_labels, "label_pictures", label_pictures)
    settings = TrainerSettings(pseudo_labels={"source": "x"})
    inputs = SimpleNamespace(
        settings=settings, reader="", unlabelled_files=[], classes=["a"], precision="float32"
    )
    fn_args = SimpleNamespace(serving_model_dir="model", model_run_dir="run")
    entry_point._train_rounds(inputs, fn_args, tmp_path)
    assert policies == ["mixed_float16", "float32", "mixed_float16"]


def test_what_was_trained_in_mixed_precision_is_served_in_float32(tiny_network, mixed_precision):
    settings = TrainerSettings(
        backbone=BackboneSettings(image_size=32, weights="none"),
        head=HeadSettings(hidden=[4]),
        training={"frozen": {"epochs": 0}, "unfrozen": {"fine_tune_at": "all"}},
    )
    model = build_classifier(settings.backbone, settings.head, 3, steps=1)
    served = entry_point._in_float32(model, settings, 3)
    assert keras.config.dtype_policy().name == "float32"
    assert model.get_layer("hidden_1").compute_dtype == "float16"
    assert {layer.compute_dtype for layer in served.layers} == {"float32"}
    for ours, theirs in zip(served.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert entry_point._in_float32(served, settings, 3) is served


def test_a_normalization_is_served_with_what_the_trained_network_has(monkeypatch, mixed_precision):
    def build(*_):
        pixels = keras.Input((32, 32, 3))
        return keras.Model(pixels, keras.layers.Normalization()(pixels))

    monkeypatch.setattr(keras_applications, "build", build)
    settings = TrainerSettings(
        backbone=BackboneSettings(image_size=32, weights="none"),
        training={"frozen": {"epochs": 0}, "unfrozen": {"fine_tune_at": "all"}},
    )
    model = build_classifier(settings.backbone, settings.head, 3, steps=1)
    network = model.get_layer("backbone").network
    network.set_weights([np.full(3, 3.0), np.full(3, 4.0), np.array(0)])
    served = entry_point._in_float32(model, settings, 3)
    features = served.get_layer("backbone").network(np.full((1, 32, 32, 3), 7.0))
    np.testing.assert_allclose(features, np.full((1, 32, 32, 3), 2.0), rtol=1e-5)


def test_the_kept_phase_stays_the_one_that_it_was_under_its_other_name():
    first, last = (
        PhaseResult(name, ParameterCount(1, 1, 1), {}, 0, 1.0) for name in ("head", "top")
    )
    renamed = entry_point._Trained("model", [first, last], first).renamed("{} again")
    assert [phase.name for phase in renamed.phases] == ["head again", "top again"]
    assert renamed.kept is renamed.phases[0] and renamed.model == "model"


def test_what_is_learnt_of_validation_is_exported_and_kept_as_evidence(monkeypatch):
    calls = {}

    def noted(place, name, answer):
        def call(*given):
            calls[name] = given
            return answer

        monkeypatch.setattr(place, name, call)

    noted(entry_point, "Scorer", "scorer")
    noted(entry_point.validation_rows, "ask", "validated")
    noted(entry_point.validation_rows, "learn", "learnt")
    noted(entry_point.validation_rows, "write_evidence", None)
    noted(entry_point, "export", None)
    settings = TrainerSettings(serving={"calibrate": True})
    classes = ["frame", "bar", "disc"]
    inputs = SimpleNamespace(
        settings=settings, reader="reader", graph="graph", classes=classes, validation_files=["v"]
    )
    fn_args = SimpleNamespace(serving_model_dir="/out/model/7/Format-Serving")
    assert entry_point._export("model", inputs, fn_args) == "learnt"
    assert calls == {
        "Scorer": ("model",),
        "ask": ("scorer", "reader", ["v"]),
        "learn": ("validated", classes, settings.serving),
        "write_evidence": ("validated", "learnt", classes, "/out/model/7/evidence"),
        "export": ("scorer", "graph", classes, "/out/model/7/Format-Serving", "learnt"),
    }
