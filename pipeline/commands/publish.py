"""`graft publish`."""

from components import destinations, served_versions
from components.bucket import Bucket
from components.errors import UserError
from pipeline.config import load_recipe
from pipeline.console import make_console, say


def publish_version(
    address: str, config: str, overrides: list[str], *, version: str | None = None
) -> None:
    """Copies a served version into an object store and makes it current there.

    Args:
        address: s3://bucket/prefix.
        config: name or path of the recipe.
        overrides: `key=value`, see `load_recipe`.
        version: its number; None: the one that is served.

    Raises:
        UserError: the recipe, the address or the version cannot be used, or it is damaged.
        StoreError: the store refuses, does not answer, or another version has become current; what
            is current there is as it was.
    """
    destination = load_recipe(config, overrides).push_destination
    destinations.refuse_bucket(
        destination, "graft publish", "every push of this recipe is published there"
    )
    found = served_versions.find_version(destination, version)
    if damage := served_versions.find_change(found):
        raise UserError(f"{found.path} is damaged: {damage}")
    bucket = Bucket(address)
    compared = bucket.current()
    if compared and compared.digest == served_versions.content_digest(found.path):
        now, how = compared, "current already"
    else:
        evidence = served_versions.evidence_folder(destination, found.name)
        now, how = bucket.publish(found.path, evidence, compared), "published"
    console = make_console()
    say(console, f"Version {found.name} of {destination}: {how} as version {now.version}")
    say(console, f"For KServe: storageUri: {bucket.address}/{now.version}")
