"""Settings of what the served model says beside its answer: how sure it is."""

import pydantic

from components.settings import Settings


class AbstentionSettings(Settings):
    """When the model says `unsure`: below a threshold that keeps the others' accuracy."""

    accuracy: float = pydantic.Field(
        gt=0.0,
        lt=1.0,
        description="that must be proved, on the validation split, of the pictures that the model "
        "is sure of; 0.99 needs 299 of them, all of them right",
    )
    confidence: float = pydantic.Field(
        0.95,
        gt=0.0,
        lt=1.0,
        description="the threshold is too low in at most 1 - confidence of all validation splits",
    )


class ServingSettings(Settings):
    """The block `serving` of a recipe; all of it is learnt on the validation split."""

    calibrate: bool = pydantic.Field(
        False, description="divide the logits by a temperature, so that probabilities are as true"
    )
    abstain: AbstentionSettings | None = pydantic.Field(
        None, description="output `unsure`: whether a picture is better left to a person"
    )
    label_set: float | None = pydantic.Field(
        None,
        gt=0.0,
        lt=1.0,
        description="output `in_label_set`: classes that hold the right one for at least this "
        "share of all pictures",
    )

    @property
    def learns(self) -> bool:
        """Whether anything has to be learnt on the validation split."""
        return self.calibrate or self.abstain is not None or self.label_set is not None
