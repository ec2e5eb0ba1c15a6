"""The figures of ImageExampleGen that the console shows when it ends."""

from pathlib import Path

from components.example_gen.summary import Summary
from components.features import SUMMARY_FILE


def describe(outputs: dict[str, list]) -> str:
    """Numbers of pictures per split, of classes, and of files that were set aside.

    Args:
        outputs: the node's output artifacts by key.

    Returns:
        Text for one line.
    """
    text = Path(outputs["examples"][0].uri, SUMMARY_FILE).read_text(encoding="utf-8")
    summary = Summary.from_json(text)
    counts = ", ".join(f"{sum(c.values()):,} {split}" for split, c in summary.counts.items())
    aside = f", {summary.quarantined:,} set aside" if summary.quarantined else ""
    text = f"{summary.total:,} pictures of {len(summary.classes)} classes ({counts}){aside}"
    found = summary.duplicates
    if found.copies:
        text += f"; {found.copies:,} of them are copies"
    if found.contradicting:
        text += f"; {found.contradicting:,} are in several classes"
    if found.leaking:
        text += f"; LEAKAGE: {found.leaking:,} lie in several splits with their copies"
    if summary.converted:
        kinds = ", ".join(
            f"{number:,} {kind}" for kind, number in sorted(summary.converted.items())
        )
        text += f"; {kinds} became PNG: a served model refuses such files"
    if summary.fixes:
        done = (f"{number:,} {what}" for what, number in summary.fixes.items() if number)
        text += f"; fixes: {', '.join(done)}"
    if summary.unlabelled:
        text += f"; {summary.unlabelled['usable']:,} unlabelled"
        if summary.unlabelled["copies"]:
            text += f" ({summary.unlabelled['copies']:,} copies of labelled ones left out)"
    return text
