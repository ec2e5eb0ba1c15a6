"""What was said of the models that were judged on one test split, each no among it.

<destination>/evidence/verdicts/<test split>/<model>-<pass or fail>.json

Who tries often enough finds a model that a test split likes: a threshold that holds with 95 %
confidence for one model does not for the best of fifty. So they are counted.
"""

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timezone

from components import destinations
from components.gates import Gate, failed

_FOLDER = "verdicts"


def note_verdict(destination: str, test_split: str, model: str, gates: Sequence[Gate]) -> None:
    """Adds a verdict to the record; the same one about the same model is there once.

    Args:
        destination: folder of the served versions.
        test_split: fingerprint of the pictures that were judged on.
        model: digest of the model.
        gates: all rows about it.

    Raises:
        OSError: it cannot be written.
    """
    refused = [gate.name for gate in failed(gates)]
    said = {
        "judged_at": datetime.now(timezone.utc).isoformat(),
        "test_split": test_split,
        "model": model,
        "verdict": "fail" if refused else "pass",
        "failed": refused,
    }
    name = f"{_FOLDER}/{test_split}/{model}-{said['verdict']}.json"
    destinations.note(destination, name, json.dumps(said, indent=2))


def count_models(destination: str, test_split: str) -> int:
    """How many different models were judged on a test split; the files' names alone tell."""
    files = destinations.noted(destination, f"{_FOLDER}/{test_split}")
    return len({name.rpartition("-")[0] for name in files if name.endswith(".json")})


def verdict_row(
    destination: str, test_split: str, model: str, gates: Sequence[Gate], most: int
) -> Gate:
    """Notes a verdict and says how worn the test split is.

    Args:
        destination: see `note_verdict`.
        test_split: see `note_verdict`.
        model: see `note_verdict`.
        gates: see `note_verdict`.
        most: more models than these on one test split are a warning.
    """
    name = "test split"
    try:
        note_verdict(destination, test_split, model, gates)
        count = count_models(destination, test_split)
    except OSError as error:
        logging.exception("The verdict is not on record")
        return Gate(name, "warn", None, most, f"verdict not on record: {error.strerror or error}")
    message = f"{count:,} model(s) judged on these test pictures"
    if count > most:
        message += f", more than {most:,}: it is worn out, draw another or add pictures"
    return Gate(name, "warn" if count > most else "pass", count, most, message)
