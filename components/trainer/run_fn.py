"""Entry point of the Trainer component."""

import dataclasses
import functools
import json
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components import features
from components.trainer.export import export
from components.trainer.fitting import devices
from components.trainer.fitting.losses import class_weights
from components.trainer.fitting.phases import TRAINING_FILE, PhaseResult, as_json, run_phases
from components.trainer.fitting.resume import resumable_state
from components.trainer.inputs.examples import ExampleReader, count_examples, count_labels
from components.trainer.inputs.phase_inputs import Splits, phase_inputs
from components.trainer.network import initial_weights, keras_applications
from components.trainer.network.classifier import build_classifier
from components.trainer.settings.trainer import TrainerSettings
from components.trainer.targets import pseudo_labels
from components.trainer.targets.teacher import teacher_targets

SETTINGS = "settings"
# Names what the second training, on pseudo-labels too, leaves behind.
_AGAIN = "pseudo-labels"


def run_fn(fn_args) -> None:
    """Fine-tunes the recipe's network and exports the better of its phases.

    Args:
        fn_args: `tfx.components.trainer.fn_args_utils.FnArgs`; `custom_config["settings"]` holds a
            `TrainerSettings` as JSON.

    Raises:
        UserError: a setting cannot be met here: no GPU, no weights, a class that is not there, a
            loss that is not finite.
    """
    settings = TrainerSettings.model_validate_json(fn_args.custom_config[SETTINGS])
    strategy = devices.prepare(settings.training)
    tft_output = tft.TFTransformOutput(fn_args.transform_output)
    classes = [c.decode() for c in tft_output.vocabulary_by_name(features.LABEL_VOCABULARY)]
    # Sorted: what is kept of the pictures on disk goes by their order.
    train_files, validation_files = (
        sorted(tf.io.gfile.glob(pattern)) for pattern in (fn_args.train_files, fn_args.eval_files)
    )
    labelled, unlabelled = pseudo_labels.split_files(train_files)
    reader = ExampleReader(tft_output, settings.training.batch_size)
    train = functools.partial(_train, settings, strategy, reader, classes, validation_files)
    taken = None
    with resumable_state(fn_args) as state:
        trained = train(labelled, state, fn_args.model_run_dir)
        phases = trained.phases
        if settings.pseudo_labels:
            taken = pseudo_labels.label_pictures(
                trained.model, reader, unlabelled, classes, settings.pseudo_labels, state
            )
            _tell(taken, settings)
        if taken and taken.total:
            again = state / _AGAIN
            again.mkdir(exist_ok=True)
            folder = os.path.join(fn_args.model_run_dir, _AGAIN)
            second = train([*labelled, taken.file], again, folder).renamed(f"{{}} with {_AGAIN}")
            phases = [*phases, *second.phases]
            trained = max(trained, second, key=lambda one: one.kept.rank)
    for phase in phases:
        logging.info(
            "%s: validation accuracy %.4f in %.1f s", phase.name, phase.val_accuracy, phase.seconds
        )
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, TRAINING_FILE), "w") as file:
        json.dump(as_json(phases, trained.kept, taken), file, indent=1)
    served = _in_float32(trained.model, settings, len(classes))
    export(served, tft_output, classes, fn_args.serving_model_dir)


@dataclasses.dataclass(frozen=True)
class _Trained:
    """A model with the weights of the best of its phases."""

    model: keras.Model
    phases: list[PhaseResult]
    kept: PhaseResult

    def renamed(self, pattern: str) -> "_Trained":
        """The same, its phases under other names."""
        phases = [dataclasses.replace(p, name=pattern.format(p.name)) for p in self.phases]
        return _Trained(self.model, phases, phases[self.phases.index(self.kept)])


def _train(
    settings: TrainerSettings,
    strategy: tf.distribute.Strategy,
    reader: ExampleReader,
    classes: Sequence[str],
    validation_files: Sequence[str],
    train_files: Sequence[str],
    state: Path,
    log_dir: str,
) -> _Trained:
    """Trains phase after phase from the initial weights, or from where a killed run left them."""
    training = settings.training
    labels = count_labels(train_files)
    counts = {name: labels[name] for name in classes}
    weights = class_weights(training, counts)
    # What the loss sees of each class, which the weights change.
    priors = [n * (weights[i] if weights else 1.0) for i, n in enumerate(counts.values())]
    targets = None
    if settings.distillation:
        targets = teacher_targets(settings.distillation, train_files, classes, state)
    splits = Splits(
        train_files, labels.total(), validation_files, count_examples(validation_files), targets
    )
    steps = sum(
        math.ceil(splits.train_count / phase.batch_size) * phase.epochs
        for phase in training.phases.values()
    )
    keras.utils.set_random_seed(settings.seed)
    with strategy.scope():
        model = build_classifier(settings.backbone, settings.head, len(classes), steps, priors)
        inputs = phase_inputs(
            model, training.phases, reader, splits, settings.views, settings.seed, state
        )
        results, kept = run_phases(
            model,
            inputs,
            training,
            splits.train_count,
            log_dir,
            state,
            weights,
            settings.distillation,
        )
    return _Trained(model, results, kept)


def _tell(taken: pseudo_labels.PseudoLabels, settings: TrainerSettings) -> None:
    """Says how many unlabelled pictures the model was sure of."""
    logging.info(
        "Pseudo-labels: %d of %d unlabelled pictures reach probability %g (%s)",
        taken.total,
        taken.unlabelled,
        settings.pseudo_labels.threshold,
        ", ".join(f"{number} {name}" for name, number in taken.taken.items()),
    )
    if not taken.total:
        logging.warning(
            "pseudo_labels.threshold: no unlabelled picture reaches it, so the model stays as the "
            "labelled ones made it"
        )


def _in_float32(model: keras.Model, settings: TrainerSettings, num_classes: int) -> keras.Model:
    """The same network for serving: mixed precision is a matter of the GPU it was trained on."""
    if keras.config.dtype_policy().name == "float32":
        return model
    keras.config.set_dtype_policy("float32")
    backbone = initial_weights.without_weights(settings.backbone)
    served = build_classifier(backbone, settings.head, num_classes, steps=1)
    served.set_weights(model.get_weights())
    keras_applications.finalize_state(served.get_layer("backbone").network)
    return served
