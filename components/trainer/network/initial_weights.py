"""Where a backbone's initial weights come from."""

import os
from pathlib import Path

import numpy as np

from components.errors import UserError
from components.fingerprints import files_fingerprint
from components.served_versions import SAVED_MODEL_FILE
from components.text import one_line
from components.trainer.kept_files import DAMAGE
from components.trainer.network import keras_applications
from components.trainer.settings.trainer import BackboneSettings

GLYPHS = Path(__file__).parents[1] / "weights" / "glyphs.npz"

# In the checkpoint of what components/trainer/export.py writes.
_VARIABLE = "_weights/{}/.ATTRIBUTES/VARIABLE_VALUE"


def pretrained_network(settings: BackboneSettings):
    """Makes the backbone with the weights that the recipe names.

    Returns:
        A `keras.Model`, see `keras_applications.build`.

    Raises:
        UserError: the weights cannot be downloaded, read or fitted into the network.
    """
    if settings.is_saved_model:
        from components.trainer.network import saved_model

        return saved_model.as_network(saved_model_folder(settings), settings.image_size)
    if settings.weights == "imagenet":
        try:
            return keras_applications.build(
                settings.name, settings.alpha, settings.image_size, "imagenet"
            )
        except Exception as error:  # Keras raises a bare Exception, and its text holds the URL
            raise UserError(
                f"backbone.weights: imagenet: they cannot be downloaded ({one_line(error)}). "
                "Set backbone.weights to the path of a .weights.h5 file instead"
            ) from error
    check_weights_file(settings)
    network = keras_applications.build(settings.name, settings.alpha, settings.image_size, None)
    if settings.weights == "glyphs":
        _load_glyphs(network)
    elif not settings.from_scratch:
        load = _load_graft_model if Path(settings.weights).is_dir() else _load_file
        load(network, settings)
    keras_applications.finalize_state(network)
    return network


def without_weights(settings: BackboneSettings) -> BackboneSettings:
    """The same network for weights that are set afterwards: nothing is read or downloaded for it.

    A SavedModel stays: it has no weights that could be set.
    """
    return settings if settings.is_saved_model else settings.model_copy(update={"weights": "none"})


def check_weights_file(settings: BackboneSettings) -> None:
    """Finds a wrong path before any work is done. What is downloaded is not looked at.

    Raises:
        UserError: `backbone.weights` names something that is not there or cannot be weights.
    """
    if settings.weights in ("imagenet", "glyphs") or settings.from_scratch or settings.is_url:
        return
    path = Path(settings.weights)
    if path.is_dir():
        if not (path / SAVED_MODEL_FILE).is_file():
            raise UserError(f"backbone.weights: the folder {path} holds no {SAVED_MODEL_FILE}")
        if not settings.is_saved_model:
            _checkpoint_of(settings)
    elif settings.is_saved_model:
        raise UserError(f"backbone.weights: there is no folder {path}")
    elif not path.is_file():
        raise UserError(f"backbone.weights: there is no file or folder {path}")
    elif path.suffix == ".keras":
        raise UserError(
            f"backbone.weights: {path} is a whole Keras model, which may hold Python code, as in a "
            "Lambda layer, and is not loaded: save its weights alone, by "
            "model.save_weights('x.weights.h5')"
        )
    elif not path.name.endswith(".h5"):
        raise UserError(f"backbone.weights: {path} does not end in .weights.h5 or .h5")


def fingerprint(settings: BackboneSettings) -> str:
    """Fingerprint of the files of `backbone.weights`; empty where that is no local path.

    Returns:
        SHA-256 over names, sizes and times of the files, hexadecimal.
    """
    if settings.weights in ("imagenet", "glyphs", "none") or settings.is_url:
        return ""
    return files_fingerprint(Path(settings.weights))


def saved_model_folder(settings: BackboneSettings) -> Path:
    """The SavedModel in the place of a backbone: the recipe's folder, or a download, kept once.

    Raises:
        UserError: it is not there or cannot be downloaded.
    """
    if not settings.is_url:
        check_weights_file(settings)
        return Path(settings.weights)
    from components.trainer.network import download

    # Where Keras keeps what it downloads; it does not tell that folder publicly.
    keras_home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return download.saved_model(settings.weights, settings.sha256, keras_home / "graft")


def _checkpoint_of(settings: BackboneSettings):
    """The variables of an earlier Graft model, a `tf.train.CheckpointReader`."""
    import tensorflow as tf

    path = Path(settings.weights)
    try:
        checkpoint = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    except (tf.errors.OpError, ValueError) as error:
        raise UserError(
            f"backbone.weights: the variables of {path} cannot be read ({one_line(error)})"
        ) from error
    if not checkpoint.has_tensor(_VARIABLE.format(0)):
        raise UserError(
            f"backbone.weights: {path} is a SavedModel, but none that Graft has made. As a fixed "
            "feature vector it can be used with backbone.name: saved_model"
        )
    return checkpoint


def _load_graft_model(network, settings: BackboneSettings) -> None:
    """Takes the backbone out of an earlier classifier, whose first variables are its own."""
    checkpoint = _checkpoint_of(settings)
    shapes = checkpoint.get_variable_to_shape_map()
    theirs = [shapes.get(_VARIABLE.format(i)) for i in range(len(network.weights))]
    if theirs != [list(weight.shape) for weight in network.weights]:
        raise UserError(
            f"backbone.weights: the Graft model {settings.weights} was made from another network "
            f"than {settings.name} with alpha {settings.alpha:g}"
        )
    for index, weight in enumerate(network.weights):
        weight.assign(checkpoint.get_tensor(_VARIABLE.format(index)))


def _load_file(network, settings: BackboneSettings) -> None:
    """Sets numbers alone: what a file says of layers and their code is not looked at."""
    try:
        network.load_weights(settings.weights)
    except Exception as error:  # OSError, ValueError, KeyError, …: h5py and Keras raise them all
        raise UserError(
            f"backbone.weights: {settings.weights} does not hold the weights of {settings.name} "
            f"with alpha {settings.alpha:g} and without its top ({one_line(error)})"
        ) from error


def _load_glyphs(network) -> None:
    try:
        with GLYPHS.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for weight in network.weights:
                weight.assign(arrays[weight.path].astype(np.float32))
    except DAMAGE as error:
        raise UserError(
            f"backbone.weights: glyphs: {GLYPHS} is damaged; reinstall Graft ({one_line(error)})"
        ) from error
