"""Settings of the Pusher: where the served versions lie."""

import pydantic

from components import destinations
from components.settings import LocalPath, Settings


class SignSettings(Settings):
    """The block `push.sign` of a recipe: signs model and evidence of every push."""

    key: LocalPath = pydantic.Field(
        min_length=1,
        description="file of the private key, in PEM, on the curve P-256, P-384 or P-521 and "
        "without a password; in a cluster on a secret volume of the step Pusher",
    )


class PushSettings(Settings):
    """The block `push` of a recipe."""

    destination: LocalPath = pydantic.Field(
        "",
        description="folder of the served versions, on this machine or a mounted volume, or "
        "s3://BUCKET/FOLDER (AWS_ENDPOINT_URL names another store than Amazon's, as MinIO); "
        "empty: `serving` beside the recipe's runs",
    )

    allow_taken_back: bool = pydantic.Field(
        False, description="push also the very model that `graft versions rollback` took back"
    )

    sign: SignSettings | None = None

    registry: str = pydantic.Field(
        "",
        pattern=r"^(https?://[^\s/@]+(/\S*)?)?$",
        description="address of a Kubeflow Model Registry in which `graft run` notes what it has "
        "pushed; empty: none",
    )
    registry_uri: str = pydantic.Field(
        "",
        pattern=r"^([a-z0-9]+://\S+)?$",
        description="the destination as servers know it, as pvc://models/fruit or "
        "s3://models/fruit; empty: its path on this machine",
    )

    @pydantic.field_validator("destination")
    @classmethod
    def _check(cls, destination: str) -> str:
        return destinations.checked(destination)
