"""Entry point of the Trainer component."""

import dataclasses
import logging
import os
import shutil
from pathlib import Path

import keras

from components.served_versions import EVIDENCE
from components.settings import SETTINGS_KEY
from components.trainer import validation_rows
from components.trainer.calibration import Calibration, check_chance
from components.trainer.export import export, export_bytes, require_export_space
from components.trainer.fitting import devices
from components.trainer.fitting.phases import run_phases
from components.trainer.fitting.resume import mark_exported, resumable_state
from components.trainer.inputs.examples import count_labels, records
from components.trainer.inputs.phase_inputs import phase_inputs
from components.trainer.inputs.views import write_views
from components.trainer.network import initial_weights, keras_applications
from components.trainer.network.classifier import build_classifier
from components.trainer.network.scorer import Scorer
from components.trainer.settings.backbones import BACKBONES
from components.trainer.settings.trainer import TrainerSettings
from components.trainer.targets import pseudo_labels
from components.trainer.training_report import PhaseResult, TrainingReport
from components.trainer.training_setup import TrainingInputs, open_inputs, set_up_training

# Names what the second training, on pseudo-labels too, leaves behind.
_AGAIN = "pseudo-labels"
# In the folder of the state: what is large and only the trainings need.
_ACTIVATIONS = "activations"
# Of one picture, on the page of the run.
_SHOWN_VIEWS = 6


def run_fn(fn_args) -> None:
    """Fine-tunes the recipe's network and exports the better of its phases.

    Args:
        fn_args: `tfx.components.trainer.fn_args_utils.FnArgs`; `custom_config["settings"]` holds a
            `TrainerSettings` as JSON.

    Raises:
        UserError: a setting cannot be met here: no GPU, no weights, a class that is not there, a
            loss that is not finite, a disk that is too small.
    """
    settings = TrainerSettings.model_validate_json(fn_args.custom_config[SETTINGS_KEY])
    inputs = open_inputs(
        settings, fn_args.transform_output, fn_args.train_files, fn_args.eval_files
    )
    if settings.serving.learns:  # what could not be learnt is found before the training
        counts = count_labels(inputs.validation_files)
        check_chance(settings.serving, max(counts.values()) / counts.total())
    with (
        devices.placement(settings.training),
        resumable_state(fn_args, inputs.precision) as state,
    ):
        trained, report = _train_rounds(inputs, fn_args, state)
        for phase in report.phases:
            logging.info(
                "%s: validation accuracy %.4f in %.1f s",
                phase.name,
                phase.val_accuracy,
                phase.seconds,
            )
        _show_views(inputs, fn_args.model_run_dir)
        # Before the state goes: a kill while exporting costs the export alone.
        served = _in_float32(trained.model, settings, len(inputs.classes))
        learnt = _export(served, inputs, fn_args)
        dataclasses.replace(report, temperature=learnt.temperature).write(fn_args.model_run_dir)
        mark_exported(state, fn_args.model_run_dir)
        # NFS keeps files that are mapped, and so their folder.
        shutil.rmtree(state / _ACTIVATIONS, ignore_errors=True)


def _show_views(inputs: TrainingInputs, folder: str) -> None:
    """Leaves what augmentation makes of the first training picture, for the page of the run."""
    settings = inputs.settings
    if settings.views == 1:  # no augmentation
        return
    (record,) = records(inputs.labelled_files).take(1).as_numpy_iterator()
    value_range = BACKBONES[settings.backbone.name].value_range
    views = range(min(settings.views or _SHOWN_VIEWS, _SHOWN_VIEWS))
    write_views(inputs.reader, record, views, value_range, folder)


def _export(model: keras.Model, inputs: TrainingInputs, fn_args) -> Calibration:
    """Learns from the validation split how sure the model may be, and exports it with that."""
    scorer, classes = Scorer(model), inputs.classes
    validated = validation_rows.ask(scorer, inputs.reader, inputs.validation_files)
    calibration = validation_rows.learn(validated, classes, inputs.settings.serving)
    evidence = os.path.join(fn_args.serving_model_dir.rpartition("/")[0], EVIDENCE)
    validation_rows.write_evidence(validated, calibration, classes, evidence)
    export(scorer, inputs.graph, classes, fn_args.serving_model_dir, calibration)
    return calibration


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


def _train_rounds(inputs: TrainingInputs, fn_args, state: Path) -> tuple[_Trained, TrainingReport]:
    """Trains once, or with pseudo-labels twice, and takes the better training."""
    settings, destination = inputs.settings, fn_args.serving_model_dir
    activations = state / _ACTIVATIONS
    activations.mkdir(exist_ok=True)
    trained = _train(inputs, None, state, activations, fn_args.model_run_dir, destination)
    phases, counts = trained.phases, None
    if settings.pseudo_labels:
        policy = keras.config.dtype_policy()
        taken = pseudo_labels.label_pictures(
            _in_float32(trained.model, settings, len(inputs.classes)),
            inputs.reader,
            inputs.unlabelled_files,
            inputs.classes,
            settings.pseudo_labels,
            state,
        )
        keras.config.set_dtype_policy(policy)  # that of the second training
        counts = taken.counts
        _tell(taken, settings)
        if counts.total:
            again = state / _AGAIN
            again.mkdir(exist_ok=True)
            folder = os.path.join(fn_args.model_run_dir, _AGAIN)
            second = _train(inputs, taken, again, activations, folder, destination)
            second = second.renamed(f"{{}} with {_AGAIN}")
            phases = [*phases, *second.phases]
            trained = max(trained, second, key=lambda one: one.kept.rank)
    return trained, TrainingReport(phases, trained.kept.name, counts, inputs.precision)


def _train(
    inputs: TrainingInputs,
    own: pseudo_labels.PseudoLabels | None,
    state: Path,
    activations: Path,
    log_dir: str,
    destination: str,
) -> _Trained:
    """Trains phase after phase from the initial weights, or from where a killed run left them."""
    settings = inputs.settings
    setup = set_up_training(inputs, state, own)
    require_export_space(setup.model, destination)
    with inputs.strategy.scope():
        by_phase = phase_inputs(
            setup.model,
            settings.training.phases,
            inputs.reader,
            setup.splits,
            settings.views,
            settings.seed,
            activations,
            export_bytes(setup.model),
            inputs.precision,
        )
        results, kept = run_phases(
            setup.model,
            by_phase,
            settings.training,
            setup.splits.train_count,
            log_dir,
            state,
            setup.class_weights,
            setup.judging_weights,
            settings.distillation,
        )
    return _Trained(setup.model, results, kept)


def _tell(taken: pseudo_labels.PseudoLabels, settings: TrainerSettings) -> None:
    """Says how many unlabelled pictures the model was sure of."""
    counts = taken.counts
    logging.info(
        "Pseudo-labels: %d of %d unlabelled pictures reach probability %g (%s)",
        counts.total,
        counts.unlabelled,
        settings.pseudo_labels.threshold,
        ", ".join(f"{number} {name}" for name, number in counts.taken.items()),
    )
    if not counts.total:
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
