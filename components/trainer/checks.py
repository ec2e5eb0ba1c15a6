"""Mistakes in the Trainer's settings that can be found before anything runs.

Importable without TensorFlow and Keras; `check_network`, which needs them, comes last.
"""

from collections.abc import Sequence

from components.errors import UserError
from components.graph_check import require_computing
from components.trainer.calibration import check_chance
from components.trainer.network import initial_weights
from components.trainer.settings.trainer import ALL_LAYERS, TrainerSettings
from components.trainer.targets import teacher_files
from components.trainer.targets.class_weights import check_class_weights


def security_notices(settings: TrainerSettings) -> list[str]:
    """Warnings about SavedModels of others, which are programs, one line each."""
    loaded = []
    if settings.backbone.is_saved_model:
        loaded.append(("backbone.weights", settings.backbone.weights))
    if settings.distillation:
        loaded.append(("distillation.teacher", settings.distillation.teacher))
    return [
        f"{key}: a SavedModel is a program. Before {what} is loaded, its operations are held to a "
        "list of those that only compute; what it computes is for its maker to answer"
        for key, what in loaded
    ]


def check_files(settings: TrainerSettings) -> None:
    """Finds paths that lead nowhere. TensorFlow is imported for an earlier Graft model only.

    Raises:
        UserError: `backbone.weights` or `distillation.teacher` is not there or not usable.
    """
    initial_weights.check_weights_file(settings.backbone)
    if settings.distillation:
        teacher_files.teacher_folder(settings.distillation)


def check_classes(settings: TrainerSettings, classes: Sequence[str]) -> None:
    """Finds settings that do not go with the classes of the pictures.

    Args:
        settings: of the Trainer.
        classes: names of the pictures' classes.

    Raises:
        UserError: `training.class_weights` names another class, `head.output` is `logit` for more
            than two, `serving.abstain.accuracy` needs no model, or the teacher does not know one.
    """
    check_class_weights(settings.training, classes)
    settings.head.outputs(len(classes))
    check_chance(settings.serving, 1 / len(classes))
    if settings.distillation:
        teacher_files.check_teacher(settings.distillation, classes)


def check_network(settings: TrainerSettings) -> None:
    """Fetches or finds the weights that come from a server, and finds wrong layers.

    Builds the network with Keras where that is needed, which takes seconds.

    Raises:
        UserError: the weights cannot be had, a SavedModel can do more than compute, or a
            `fine_tune_at` is no layer of the network.
    """
    backbone = settings.backbone
    if settings.distillation:
        folder = teacher_files.teacher_folder(settings.distillation)
        require_computing("distillation.teacher", folder)
    if backbone.is_saved_model:  # which never learns, see TrainerSettings
        folder = initial_weights.saved_model_folder(backbone)
        require_computing("backbone.weights", folder)
        return
    is_fetched = backbone.weights == "imagenet"
    phases = {
        settings.training.key(name): phase
        for name, phase in settings.training.phases.items()
        if phase.fine_tune_at not in (None, ALL_LAYERS)
    }
    if not is_fetched and not phases:
        return
    from components.trainer.network.classifier import learning_layers

    network = initial_weights.pretrained_network(
        backbone if is_fetched else initial_weights.without_weights(backbone)
    )
    for key, phase in phases.items():
        try:
            learning_layers(network, phase)
        except UserError as error:
            raise UserError(f"{key}.{error}") from error
