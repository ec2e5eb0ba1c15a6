"""What the Trainer has to tell in a few words, for the line that it ends with."""

import json
from pathlib import Path

from components.trainer.fitting.phases import TRAINING_FILE


def describe(outputs: dict[str, list]) -> str:
    """Validation accuracy by phase, the phase that was kept, pictures that the model labelled.

    Args:
        outputs: the node's output artifacts by key.
    """
    text = Path(outputs["model_run"][0].uri, TRAINING_FILE).read_text(encoding="utf-8")
    training = json.loads(text)
    phases = ", ".join(f"{p['name']} {p['val_accuracy']:.4f}" for p in training["phases"])
    text = f"validation accuracy: {phases}; kept: {training['kept']}"
    if labels := training["pseudo_labels"]:
        taken = ", ".join(f"{number:,} {name}" for name, number in labels["taken"].items())
        text += f"; labelled itself: {taken} of {labels['unlabelled']:,}"
    return text
