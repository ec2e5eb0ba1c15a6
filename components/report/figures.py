"""What the Report has to tell in a few words, for the line that it ends with."""

from pathlib import Path

from components.report.page_files import PAGE_FILE


def describe(outputs: dict[str, list]) -> str:
    """The page's size.

    Args:
        outputs: the node's output artifacts by key.
    """
    (artifact,) = outputs["report"]
    file = Path(artifact.uri, PAGE_FILE)
    return f"a page of {file.stat().st_size / 1e6:.1f} MB" if file.exists() else ""
