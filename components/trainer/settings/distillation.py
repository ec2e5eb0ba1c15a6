"""Settings of distillation: which model teaches, and how much its answers count."""

from typing import Literal

import pydantic

from components.settings import ClassName, LocalPath, Settings, ValueRange


class DistillationSettings(Settings):
    """The block `distillation` of a recipe: learn from another model's answers beside the labels.

    The teacher is a SavedModel with a signature `serving_default` that takes one input, either
    encoded pictures (string [batch]) or pixels (float32 [batch, size, size, 3], RGB), and gives
    `probabilities` or `logits` (float [batch, classes]; [batch, 1] is the second of two classes),
    or one output of another name. Every model that Graft serves is one.
    """

    teacher: LocalPath = pydantic.Field(
        min_length=1,
        description="folder of a SavedModel, or of served versions, of which the one that is "
        "served teaches",
    )
    temperature: float = pydantic.Field(
        4.0, gt=0.0, le=100.0, description="above 1: softens the answers of both before comparing"
    )
    weight: float = pydantic.Field(
        0.9,
        gt=0.0,
        le=1.0,
        description="share of the teacher in the loss; the labels have the rest",
    )
    classes: tuple[ClassName, ...] | None = pydantic.Field(
        None,
        min_length=2,
        description="the teacher's classes in the order of its outputs; null: those in its "
        "assets.extra/classes.txt",
    )
    value_range: ValueRange = pydantic.Field(
        "unit",
        description="of a teacher that takes pixels: unit is 0..1, raw 0..255, tf -1..1, torch and "
        "caffe as in keras.applications",
    )
    output: Literal["probabilities", "logits"] = pydantic.Field(
        "probabilities", description="what a teacher's one output of another name is"
    )
