"""Settings of the ServingGate: what a client may expect of a served model."""

import pydantic

from components.settings import Settings


class ServingGateSettings(Settings):
    """The block `serving_gate` of a recipe."""

    max_load_seconds: float = pydantic.Field(120, gt=0, description="to load the SavedModel")
    max_latency_ms: float = pydantic.Field(
        1000, gt=0, description="median of single-picture requests on the CPU, after warm-up"
    )
    latency_requests: int = pydantic.Field(20, ge=1, description="requests that are timed")
    parity_tolerance: float = pydantic.Field(
        1e-4, ge=0, description="largest difference of a probability between the two signatures"
    )
    original_tolerance: float = pydantic.Field(
        0.01,
        ge=0,
        description="largest difference of a probability between a file and the same picture as "
        "Pillow shows it, for a JPEG at the fraction of its size that comes nearest",
    )
    samples: int = pydantic.Field(64, ge=1, description="pictures of the test split to ask about")
    batch: int = pydantic.Field(64, ge=2, description="pictures in the largest request")
    timeout_seconds: float = pydantic.Field(
        600, gt=0, description="for the whole gate; a model that hangs is not served"
    )
