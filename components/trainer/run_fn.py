"""Entry point of the Trainer component."""

import json
import logging
import math
import os

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components import features
from components.trainer import backbones, devices, initial_weights
from components.trainer.config import TrainerSettings
from components.trainer.dataset import ExampleReader, count_examples, count_labels
from components.trainer.export import export
from components.trainer.losses import class_weights
from components.trainer.model import build_classifier
from components.trainer.phase_inputs import Splits, phase_inputs
from components.trainer.phases import TRAINING_FILE, as_json, run_phases
from components.trainer.resume import resumable_state

SETTINGS = "settings"


def run_fn(fn_args) -> None:
    """Fine-tunes the recipe's network and exports the better of its phases.

    Args:
        fn_args: `tfx.components.trainer.fn_args_utils.FnArgs`; `custom_config["settings"]` holds a
            `TrainerSettings` as JSON.

    Raises:
        ValueError: a setting cannot be met here: no GPU, no weights, a class that is not there, a
            loss that is not finite.
    """
    settings = TrainerSettings.model_validate_json(fn_args.custom_config[SETTINGS])
    training = settings.training
    keras.utils.set_random_seed(settings.seed)
    strategy = devices.prepare(training)
    tft_output = tft.TFTransformOutput(fn_args.transform_output)
    classes = [c.decode() for c in tft_output.vocabulary_by_name(features.LABEL_VOCABULARY)]
    train_files, validation_files = map(tf.io.gfile.glob, (fn_args.train_files, fn_args.eval_files))
    labels = count_labels(train_files)
    splits = Splits(train_files, labels.total(), validation_files, count_examples(validation_files))
    counts = {name: labels[name] for name in classes}
    weights = class_weights(training, counts)
    # What the loss sees of each class, which the weights change.
    priors = [n * (weights[i] if weights else 1.0) for i, n in enumerate(counts.values())]
    steps = sum(
        math.ceil(splits.train_count / phase.batch_size) * phase.epochs
        for phase in training.phases.values()
    )
    reader = ExampleReader(tft_output, training.batch_size)
    with strategy.scope(), resumable_state(fn_args) as state:
        model = build_classifier(settings.backbone, settings.head, len(classes), steps, priors)
        inputs = phase_inputs(
            model, training.phases, reader, splits, settings.views, settings.seed, state
        )
        results, kept = run_phases(
            model, inputs, training, splits.train_count, fn_args.model_run_dir, state, weights
        )
    for result in results:
        logging.info(
            "%s: validation accuracy %.4f in %.1f s",
            result.name,
            result.val_accuracy,
            result.seconds,
        )

    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, TRAINING_FILE), "w") as file:
        json.dump(as_json(results, kept), file, indent=1)
    served = _in_float32(model, settings, len(classes))
    export(served, tft_output, classes, fn_args.serving_model_dir)


def _in_float32(model: keras.Model, settings: TrainerSettings, num_classes: int) -> keras.Model:
    """The same network for serving: mixed precision is a matter of the GPU it was trained on."""
    if keras.config.dtype_policy().name == "float32":
        return model
    keras.config.set_dtype_policy("float32")
    backbone = initial_weights.without_weights(settings.backbone)
    served = build_classifier(backbone, settings.head, num_classes, steps=1)
    served.set_weights(model.get_weights())
    backbones.settle(served.get_layer("backbone").network)
    return served
