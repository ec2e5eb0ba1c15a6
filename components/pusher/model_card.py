"""The model card of a version, as Hugging Face's hub reads it: YAML metadata and Markdown.

It tells what the gates and the Evaluator left, so it is written before the push and is of the
version's evidence: signed and checked with the rest. It names no version, because a rollback serves
the same model under another number.
"""

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from components import features
from components.classes import lowest_recall_first
from components.gates import WORDS, Gate
from components.text import printable

CARD_FILE = "README.md"

_MOST_CLASSES = 200
_SPECIAL = re.compile(r"([\\`*_\[\]|#~$])")


def make_card(
    provenance: Mapping[str, Any],
    gates: Sequence[Gate],
    metrics: Mapping[str, Any],
    counts: Mapping[str, Mapping[str, int]],
    digest: str,
) -> str:
    """Writes the card; what is not known is left out.

    Args:
        provenance: see `pipeline.provenance`; may be empty.
        gates: all rows about the model.
        metrics: content of `metrics.json`; may be empty.
        counts: number of pictures by split and class; may be empty.
        digest: SHA-256 of the model.
    """
    recipe = provenance.get("recipe", {})
    name = recipe.get("name", "model")
    parts = [
        _metadata(name, metrics),
        f"# {_text(name)}\n\nA classifier of pictures, fine-tuned and gated by Graft.",
        _use(metrics.get("classes", ())),
        _training(recipe),
        _data(recipe, counts),
        _evaluation(metrics),
        _gates(gates),
        _origin(provenance, digest),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def read_metrics(evidence: Path) -> dict[str, Any]:
    """The Evaluator's metrics; empty where it left none."""
    file = evidence / features.METRICS_FILE
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def count_pictures(evidence: Path) -> dict[str, dict[str, int]]:
    """Number of pictures by split and class, from the DataGate's evidence; empty without."""
    file = evidence / features.PICTURES_FILE
    if not file.is_file():
        return {}
    rows = pq.read_table(file, columns=[features.SPLIT, features.LABEL]).to_pandas()
    counts = rows.groupby([features.SPLIT, features.LABEL], observed=True).size()
    return {
        split: {label: int(count) for label, count in counts[split].items()}
        for split in features.SPLITS
        if split in counts
    }


def _metadata(name: str, metrics: Mapping[str, Any]) -> str:
    """The block that the hub reads; it takes no metrics without a task and a data set."""
    measured = [
        {"type": key, "value": float(value)}
        for key, value in metrics.get("overall", {}).items()
        if key != "example_count" and math.isfinite(value)
    ]
    block: dict[str, Any] = {
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "tensorflow", "saved-model", "tfx"],
    }
    if measured:
        result = {
            "task": {"type": "image-classification"},
            "dataset": {"type": "imagefolder", "name": name, "split": "test"},
            "metrics": measured,
        }
        block["model-index"] = [{"name": name, "results": [result]}]
    text = yaml.safe_dump(_printable(block), sort_keys=False, allow_unicode=True)
    return f"---\n{text}---"


def _use(classes: Sequence[str]) -> str:
    text = (
        "## Use\n\nA TensorFlow SavedModel. The signature `serving_default` takes encoded pictures "
        "(`image_bytes`: JPEG, PNG or the first frame of a GIF) and answers with `label`, "
        "`probability` and `probabilities`. Decoding and resizing are in the graph."
    )
    if not classes:
        return text
    listed = ", ".join(_text(one) for one in classes[:_MOST_CLASSES])
    more = f" and {len(classes) - _MOST_CLASSES:,} more" if len(classes) > _MOST_CLASSES else ""
    return (
        f"{text}\n\nIt knows {len(classes):,} classes and answers with one of them whatever a "
        f"picture shows: {listed}{more}."
    )


def _training(recipe: Mapping[str, Any]) -> str:
    backbone = recipe.get("backbone")
    if not backbone:
        return ""
    width = backbone.get("alpha", 1.0)
    network = _text(backbone["name"]) + (f" alpha {width:g}" if width != 1.0 else "")
    return (
        f"## Training\n\n{network} at {backbone['image_size']} px, from the weights "
        f"{_text(str(backbone['weights']))}, seed {recipe['seed']}. "
        "Every setting is in `provenance.json`."
    )


def _data(recipe: Mapping[str, Any], counts: Mapping[str, Mapping[str, int]]) -> str:
    if not counts:
        return ""
    splits = list(counts)
    classes = sorted({name for of_split in counts.values() for name in of_split})
    rows = [
        [_text(name), *(f"{counts[split].get(name, 0):,}" for split in splits)]
        for name in classes[:_MOST_CLASSES]
    ]
    rows.append(["all", *(f"{sum(counts[split].values()):,}" for split in splits)])
    source = _text(str(recipe.get("data", {}).get("source", "")))
    intro = f"## Data\n\nPictures of {source or 'the source'}, one split of which the model never "
    return f"{intro}saw.\n\n{_table(['class', *splits], rows)}"


def _evaluation(metrics: Mapping[str, Any]) -> str:
    if not metrics:
        return ""
    served = metrics["served"]
    head = ["metric", "value", *(["served before"] if served else [])]
    rows = [
        [_text(name), _figure(value), *([_figure(served.get(name))] if served else [])]
        for name, value in metrics["overall"].items()
    ]
    per_class = [
        [
            _text(name),
            f"{int(of['count']):,}",
            _figure(of["recall"]),
            " … ".join(map(_figure, of["interval"])) if of["count"] else "–",
            _figure(of["precision"]),
        ]
        for name, of in lowest_recall_first(metrics["per_class"])[:_MOST_CLASSES]
    ]
    classes = _table(["class", "pictures", "recall", "95 % interval", "precision"], per_class)
    return (
        f"## Evaluation\n\nOn the test split:\n\n{_table(head, rows)}\n\nBy class, the lowest "
        f"recall first (intervals of Clopper and Pearson, copies count once):\n\n{classes}"
    )


def _gates(gates: Sequence[Gate]) -> str:
    rows = [
        [
            WORDS[gate.verdict],
            _text(gate.name),
            _figure(gate.value),
            " … ".join(map(_figure, gate.interval)) if gate.interval else "",
            _figure(gate.bound),
            _text(gate.message),
        ]
        for gate in gates
    ]
    head = ["verdict", "gate", "value", "interval", "bound", "finding"]
    return f"## Gates and limits\n\n`look` asks for a person's look.\n\n{_table(head, rows)}"


def _origin(provenance: Mapping[str, Any], digest: str) -> str:
    lines = [f"- SHA-256 of the model: `{digest}`"]
    for name, version in provenance.get("versions", {}).items():
        lines.append(f"- {_text(name)} {_text(version)}")
    if git := provenance.get("git"):
        changes = ", with changes that are in no commit" if git["dirty"] else ""
        lines.append(f"- Git revision `{git['revision']}`{changes}")
    return "## Origin\n\n" + "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str) -> str:
    """Text of others, in which nothing is Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", html.escape(printable(text), quote=False))


def _figure(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return f"{int(value):,}" if value == int(value) else f"{value:.4g}"


def _printable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_printable(one) for one in value]
    return printable(value) if isinstance(value, str) else value
