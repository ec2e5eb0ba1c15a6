"""Where a backbone's initial weights come from."""

import pathlib
import zipfile

import numpy as np

from components.trainer import backbones
from components.trainer.config import BackboneSettings

GLYPHS = pathlib.Path(__file__).parent / "weights" / "glyphs.npz"


def pretrained_network(settings: BackboneSettings):
    """Makes the backbone with the weights that the recipe names.

    Returns:
        A `keras.Model`, see `backbones.build`.

    Raises:
        ValueError: the weights cannot be downloaded, read or fitted into the network.
    """
    if settings.weights == "imagenet":
        try:
            return backbones.build(settings.name, settings.alpha, settings.image_size, "imagenet")
        except Exception as error:  # Keras raises a bare Exception, and its text holds the URL
            raise ValueError(
                f"backbone.weights: imagenet: they cannot be downloaded ({_one_line(error)}). "
                "Set backbone.weights to the path of a .weights.h5 file instead"
            ) from error
    network = backbones.build(settings.name, settings.alpha, settings.image_size, None)
    if settings.weights == "glyphs":
        _load_glyphs(network)
    elif not settings.from_scratch:
        _load_file(network, settings)
    return network


def check_weights_file(settings: BackboneSettings) -> None:
    """Finds a wrong path before any work is done.

    Raises:
        ValueError: `backbone.weights` names a file that is not there or cannot be Keras weights.
    """
    if settings.weights in ("imagenet", "glyphs") or settings.from_scratch:
        return
    path = pathlib.Path(settings.weights)
    if not path.is_file():
        raise ValueError(f"backbone.weights: there is no file {path}")
    if not path.name.endswith(".h5"):
        raise ValueError(f"backbone.weights: {path} does not end in .weights.h5 or .h5")


def _load_file(network, settings: BackboneSettings) -> None:
    check_weights_file(settings)
    try:
        network.load_weights(settings.weights)
    except Exception as error:  # OSError, ValueError, KeyError, …: h5py and Keras raise them all
        raise ValueError(
            f"backbone.weights: {settings.weights} does not hold the weights of {settings.name} "
            f"with alpha {settings.alpha:g} and without its top ({_one_line(error)})"
        ) from error


def _load_glyphs(network) -> None:
    try:
        with np.load(GLYPHS, allow_pickle=False) as arrays:
            for weight in network.weights:
                weight.assign(arrays[weight.path].astype(np.float32))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"backbone.weights: glyphs: {GLYPHS} is damaged; reinstall Graft ({error})"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
