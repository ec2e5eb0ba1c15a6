"""Whether there is enough of everything."""

import json
from pathlib import Path

import pandas as pd

from components import features
from components.data_gate.config import MinimumSettings
from components.data_gate.wording import listed, quoted
from components.gates import Gate, verdict
from components.text import one_line

_COUNTS = "class counts"


def check_counts(pictures: pd.DataFrame, least: MinimumSettings) -> Gate:
    """Every class has its least number in each split; one that a split lacks is a warning.

    Args:
        pictures: see `read_pictures`.
        least: by split.
    """
    counts = pd.crosstab(pictures[features.LABEL], pictures[features.SPLIT])
    counts = counts.reindex(columns=list(features.SPLITS), fill_value=0)
    wanted = least.model_dump()
    few = [
        (int(counts.loc[label, split]), wanted[split], f"class {quoted(label)} has", split)
        for split in features.SPLITS
        for label in counts.index[counts[split] < wanted[split]]
    ]
    if few:
        found = listed([f"{has} {n} in {split}, {bound} wanted" for n, bound, has, split in few])
        message = f"{found}: add pictures, or lower data_gate.min_per_class"
        return Gate(_COUNTS, "fail", *few[0][:2], message)
    smallest = int(counts.to_numpy().min())
    absent = [
        f"{quoted(label)} in {split}"
        for split in features.SPLITS
        for label in counts.index[counts[split] == 0]
    ]
    if absent:
        return Gate(_COUNTS, "warn", smallest, None, f"no pictures of {listed(absent)}")
    sizes = ", ".join(
        f"{counts[split].min():,} to {counts[split].max():,} in {split}"
        for split in features.SPLITS
    )
    return Gate(_COUNTS, "pass", smallest, None, f"{len(counts)} classes with {sizes}")


def check_quarantine(examples: Path, largest: float) -> Gate:
    """The share of files that were set aside.

    Args:
        examples: folder of the examples.
        largest: share that is allowed.
    """
    path = examples / features.SUMMARY_FILE
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        aside, usable = int(summary["quarantined"]), int(summary["total"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path} cannot be read: {one_line(error, 100)}"
        return Gate("quarantine", "fail", None, largest, message)
    share = aside / max(1, aside + usable)
    message = (
        f"{aside:,} of {aside + usable:,} files were set aside ({share:.1%}, at most {largest:.1%})"
    )
    if share > largest:
        message += ": see quarantine.jsonl beside the examples, or raise data_gate.max_quarantined"
    return Gate("quarantine", verdict(share <= largest), share, largest, message)
