"""`graft versions`."""

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from components import served_versions
from pipeline.config import load_recipe


def list_versions(config: str, overrides: list[str]) -> None:
    """Prints the served versions of a recipe's model, newest first.

    Raises:
        UserError: the recipe cannot be used, or `champion` names a version that is not there.
    """
    destination = load_recipe(config, overrides).push_destination
    versions = served_versions.list_versions(destination)
    console = Console()
    if not versions:
        console.print(f"Nothing is served at {destination} yet", highlight=False, soft_wrap=True)
        return
    table = Table("version", "pushed", "size", "", title=str(destination), title_justify="left")
    for version in reversed(versions):
        pushed_at = f"{version.pushed_at.astimezone():%Y-%m-%d %H:%M:%S}"
        table.add_row(
            version.name,
            pushed_at,
            decimal(version.size_bytes),
            "served" if version.is_champion else "",
        )
    console.print(table)
