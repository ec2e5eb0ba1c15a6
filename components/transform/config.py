"""Settings of the Transform graph: what happens to pixels, always and in training only."""

from typing import Literal

import pydantic

from components.settings import Settings, ValueRange


class AugmentationSettings(Settings):
    """The block `augmentation` of a recipe. All zero (the default) means no augmentation.

    Ranges are symmetric about "no change", in the units that Keras users know.
    """

    horizontal_flip: bool = False
    vertical_flip: bool = False
    rotation: float = pydantic.Field(
        0.0, ge=0.0, le=0.5, description="largest rotation either way, as a fraction of a full turn"
    )
    width_shift: float = pydantic.Field(0.0, ge=0.0, le=1.0, description="fraction of the width")
    height_shift: float = pydantic.Field(0.0, ge=0.0, le=1.0, description="fraction of the height")
    shear: float = pydantic.Field(0.0, ge=0.0, lt=90.0, description="degrees, counter-clockwise")
    zoom: float = pydantic.Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="factor drawn from [1 - zoom, 1 + zoom]; below 1 enlarges the picture",
    )
    brightness: float = pydantic.Field(
        0.0, ge=0.0, le=1.0, description="shift of all pixels, as a fraction of the range 0..255"
    )
    contrast: float = pydantic.Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="factor about the channel mean, drawn from [1 - contrast, 1 + contrast]",
    )
    views: int | None = pydantic.Field(
        None,
        ge=1,
        le=1000,
        description="how many views of a picture there are in the whole training: what the frozen "
        "layers make of them is computed once; null: a fresh view in every epoch",
    )
    fill_mode: Literal["reflect", "nearest", "constant", "wrap"] = pydantic.Field(
        "reflect", description="what fills the points that come from outside the picture"
    )

    @property
    def changes_pixels(self) -> bool:
        """Whether two views of a picture can differ."""
        return any(
            value for name, value in self.model_dump().items() if name not in ("views", "fill_mode")
        )


class TransformSettings(Settings):
    """All that `preprocessing_fn` needs to know, put together from the recipe by the wiring."""

    image_size: int = pydantic.Field(gt=0, description="pixels per side of the network's input")
    value_range: ValueRange = pydantic.Field(
        "tf", description="what the backbone expects, see components/trainer/settings/backbones.py"
    )
    augmentation: AugmentationSettings = AugmentationSettings()
    seed: int = 0
