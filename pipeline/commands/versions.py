"""`graft versions`."""

from rich.filesize import decimal
from rich.table import Table

from components import served_versions
from pipeline.config import load_recipe
from pipeline.console import make_console, plain, say


def list_versions(config: str, overrides: list[str]) -> None:
    """Prints the served versions of a recipe's model, newest first.

    Raises:
        UserError: the recipe cannot be used, or `champion` names a version that is not there.
    """
    destination = load_recipe(config, overrides).push_destination
    versions = served_versions.list_versions(destination)
    console = make_console()
    if versions:
        table = Table("version", "pushed", "size", "", title=plain(destination))
        table.title_justify = "left"
        for version in reversed(versions):
            pushed_at = version.pushed_at
            table.add_row(
                version.name,
                f"{pushed_at.astimezone():%Y-%m-%d %H:%M:%S}" if pushed_at else "not known",
                decimal(version.size_bytes),
                "served" if version.is_champion else "",
            )
        console.print(table)
    else:
        say(console, f"Nothing is served at {destination} yet")
    for name in served_versions.misnamed_versions(destination):
        say(
            console,
            f"{destination / name} is no version: servers cannot read its number",
        )
