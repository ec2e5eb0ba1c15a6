"""What the frozen backbone of a recipe makes of its pictures, all splits together."""

import dataclasses
import time

import numpy as np

from components import features
from pipeline import preflight
from pipeline.commands.dataset import read_dataset
from pipeline.config import Recipe
from pipeline.console import log_path, redirect_output
from pipeline.run_display import RunDisplay


@dataclasses.dataclass(frozen=True)
class FrozenPictures:
    """Pictures as the head sees them.

    Attributes:
        features: float32 [pictures, channels].
        labels: int64 [pictures].
        groups: str [pictures], which are copies of one another.
        seconds: that the features took.
    """

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    seconds: float


def read_pictures(recipe: Recipe) -> FrozenPictures:
    """Runs the nodes up to Transform, which are shown, and the backbone on what they make."""
    found = preflight.inspect(recipe, preflight.Scope.MACHINE)
    with redirect_output(log_path(recipe.folder)) as console:
        # TensorFlow speaks when it is imported.
        from components.trainer.inputs.examples import text_features
        from components.trainer.linear_probe import frozen_features
        from components.trainer.training_setup import open_inputs

        with RunDisplay(console) as display:
            dataset = read_dataset(recipe, display, found)
        files = dataset.files(*features.SPLITS)
        inputs = open_inputs(recipe.trainer, dataset.transform_graph, ())
        start = time.monotonic()
        pictures, labels = frozen_features(recipe.backbone, inputs.reader, files)
        seconds = time.monotonic() - start
        rows = dataset.pictures()
        group_of = dict(zip(rows[features.IMAGE_ID], rows[features.GROUP], strict=True))
        ids = text_features(files, [features.IMAGE_ID])[features.IMAGE_ID]
    return FrozenPictures(pictures, labels, np.array([group_of[one] for one in ids]), seconds)
