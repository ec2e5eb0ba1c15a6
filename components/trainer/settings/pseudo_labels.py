"""Settings of pseudo-labels: pictures without labels, and how sure the model must be of them."""

import pydantic

from components.settings import LocalPath, Settings


class PseudoLabelSettings(Settings):
    """The block `pseudo_labels` of a recipe: one round of learning from unlabelled pictures.

    The phases are trained, the model labels the pictures that it is sure of, and the phases are
    trained once more from the initial weights on these and the labelled ones. The better of the two
    models on the validation split is kept.
    """

    source: LocalPath = pydantic.Field(
        min_length=1,
        description="folder of unlabelled pictures; what the folders in it are called does not "
        "matter",
    )
    threshold: float = pydantic.Field(
        0.95, gt=0.0, lt=1.0, description="probability from which a picture is taken"
    )
