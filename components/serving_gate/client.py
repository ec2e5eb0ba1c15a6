"""Asks a SavedModel what a client will ask. Knows the serving contract, not the code behind it.

    python -m components.serving_gate PARENT_PROCESS_ID < request.json

The request is the line that `process.ask` writes. One JSON line per check is appended to its file
`answers` as soon as the check is made, so that a crash leaves what is known by then. Until standard
input ends other work goes on beside it: how long an answer takes is measured after that.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import tensorflow as tf

from components import features
from components.classes import read_classes
from components.gates import Gate, verdict
from components.graph_check import forbidden_operations, told
from components.serving_gate import contract, originals
from components.serving_gate.contract import Client, ContractError, Finding
from components.warm_up import read_requests

CHECKS = {
    "signatures": contract.check_signatures,
    "warm-up": contract.check_warm_up,
    "one picture": contract.check_one_picture,
    "batch": contract.check_batch,
    "probabilities": contract.check_probabilities,
    "parity": contract.check_parity,
    "original files": originals.check_originals,
    "orientations": originals.check_orientations,
    "malformed bytes": contract.check_malformed,
    "latency": contract.check_latency,
}


def main(stream: TextIO) -> None:
    """Answers a request, the first line of a stream; what is timed, when the stream has ended."""
    request = json.loads(stream.readline())
    with Path(request["answers"]).open("a", encoding="utf-8") as file:
        for gate in run(request, stream.read):
            print(json.dumps(gate.as_row()), file=file, flush=True)


def run(request: dict[str, Any], wait_for_quiet: Callable[[], Any]) -> Iterator[Gate]:
    """Makes every check. A model that must not or cannot be loaded is asked no further.

    Args:
        request: what `process.ask` writes.
        wait_for_quiet: returns when nothing else runs that an answer could have to wait for.
    """
    try:
        found = forbidden_operations(request["model"])
    except Exception as error:  # a broken file may raise anything
        yield _failed("operations", error)
        return
    yield Gate(
        "operations",
        verdict(not found),
        len(found),
        0,
        told(found) if found else "nothing that reads or writes files or runs Python",
    )
    if found:
        return
    try:
        client, finding = load(request)
    except Exception as error:  # a broken model may raise anything
        yield _failed("load", error)
        return
    yield _found("load", finding)
    for name, check in CHECKS.items():
        if check is contract.check_latency:
            wait_for_quiet()
        try:
            yield _found(name, check(client))
        except Exception as error:  # the model under test may raise anything
            yield _failed(name, error)


def load(request: dict[str, Any]) -> tuple[Client, Finding]:
    """Loads model and pictures; the finding is about the seconds the model took.

    Raises:
        ContractError: there is no picture to ask about.
        UserError: the model carries no list of classes.
    """
    settings = request["settings"]
    records = read_records(request["examples"], settings["samples"])
    if not records:
        raise ContractError(f"no pictures in {request['examples']}")
    pictures = [
        tf.train.Example.FromString(record).features.feature[features.IMAGE].bytes_list.value[0]
        for record in records
    ]
    start = time.perf_counter()
    model = tf.saved_model.load(request["model"])
    seconds = time.perf_counter() - start
    client = Client(
        model,
        read_classes(request["model"]),
        records,
        pictures,
        settings,
        read_originals(request["originals"], settings["samples"]),
        read_requests(request["model"]),
    )
    return client, (seconds, settings["max_load_seconds"], f"loaded in {seconds:.1f} s")


def read_records(folder: str, count: int) -> list[bytes]:
    """The first `count` serialized `tf.train.Example`s of a folder of TFRecords."""
    files = sorted(str(path) for path in Path(folder).iterdir())
    dataset = tf.data.TFRecordDataset(files, features.COMPRESSION).take(count)
    return list(dataset.as_numpy_iterator())


def read_originals(folder: str, count: int) -> dict[str, bytes]:
    """The first `count` original files that ImageExampleGen kept, by name."""
    files = sorted(path for path in Path(folder).iterdir() if path.is_file())
    return {path.name: path.read_bytes() for path in files[:count]}


def _found(name: str, finding: Finding) -> Gate:
    value, bound, message = finding
    if bound is None:
        return Gate(name, "pass", value, bound, message)
    # Not `value > bound`, which would let NaN pass.
    passed = value <= bound
    return Gate(name, verdict(passed), value, bound, f"{message}, at most {bound:g} allowed")


def _failed(name: str, error: Exception) -> Gate:
    lines = [line.strip() for line in str(error).splitlines()]
    # TensorFlow says what is wrong last, but for the node it happened in.
    lines = [line for line in lines if line and not line.startswith("[[")]
    return Gate(name, "fail", None, None, lines[-1] if lines else type(error).__name__)
