"""What a client may expect of a SavedModel, question by question.

A check gives what it found, or raises `ContractError`. Whatever else it raises is the model's doing
and counts as failed too.
"""

import dataclasses
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components import features
from components.serving_gate.truncation import first_half

_ANSWERS = {
    features.PREDICTED_LABEL: (tf.string, 1),
    features.PROBABILITY: (tf.float32, 1),
    features.PROBABILITIES: (tf.float32, 2),
    features.CLASSES: (tf.string, 2),
}
# What a model may say beside that, in both of these signatures or in none.
_HEDGES = {features.UNSURE: (tf.bool, 1), features.IN_LABEL_SET: (tf.bool, 2)}
# Signature -> (its input, its outputs as (dtype, rank)). More outputs do no harm.
_CONTRACT = {
    features.SERVING_SIGNATURE: (features.IMAGE_BYTES, _ANSWERS),
    features.EXAMPLES_SIGNATURE: (features.EXAMPLES, _ANSWERS),
    features.TRANSFORM_SIGNATURE: (
        features.EXAMPLES,
        {features.transformed_name(features.LABEL): (tf.int64, 1)},
    ),
}
_SUM_TOLERANCE = 1e-3
_WARM_UP_REQUESTS = 3
# One refused half proves it. A single picture may be whole in its first half, such as a PNG with
# something behind it.
_HALVED_PICTURES = 5

# What a check found: a value, the most it may be (None: nothing to compare), and a line of text.
Finding = tuple[float | None, float | None, str]


class ContractError(Exception):
    """The model did not do what the contract says; the message says what it did."""


@dataclasses.dataclass(frozen=True)
class Client:
    """A loaded model and the pictures to ask about.

    Attributes:
        model: what `tf.saved_model.load` gives.
        classes: class names that the model was exported with.
        records: serialized `tf.train.Example`s.
        pictures: the encoded picture of each of them.
        settings: the fields of `ServingGateSettings`.
        originals: files of the test split as the source has them, by name.
        warm_up: the pictures of each request that a server replays when it loads the model.
    """

    model: Any
    classes: list[str]
    records: list[bytes]
    pictures: list[bytes]
    settings: dict[str, Any]
    originals: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    warm_up: Sequence[list[bytes]] = ()

    def ask(self, signature: str, batch: list[bytes]) -> dict[str, np.ndarray]:
        """Answers to a batch: `label` and `probability` [batch], the others [batch, classes]."""
        name, _ = _CONTRACT[signature]
        answers = self.model.signatures[signature](**{name: tf.constant(batch)})
        return {name: tensor.numpy() for name, tensor in answers.items()}

    def probabilities(self, signature: str, inputs: list[bytes]) -> np.ndarray:
        """Probabilities for any number of inputs, float32 [inputs, classes]."""
        step = self.settings["batch"]
        batches = [inputs[start : start + step] for start in range(0, len(inputs), step)]
        return np.concatenate([self.ask(signature, b)[features.PROBABILITIES] for b in batches])


def check_signatures(client: Client) -> Finding:
    """The three signatures are there, with the names, types and ranks of the contract."""
    for signature, (name, outputs) in _CONTRACT.items():
        if signature not in client.model.signatures:
            raise ContractError(f"no signature {signature}")
        function = client.model.signatures[signature]
        inputs = function.structured_input_signature[1]
        _check_tensors(f"input of {signature}", inputs, {name: (tf.string, 1)})
        if extra := set(inputs) - {name}:
            raise ContractError(
                f"{signature} asks for more than {name}: {', '.join(sorted(extra))}"
            )
        _check_tensors(f"output of {signature}", function.structured_outputs, outputs)
    _check_hedges(client)
    return None, None, f"{', '.join(_CONTRACT)} as agreed"


def _check_hedges(client: Client) -> None:
    """A model that abstains or gives label sets does so wherever it answers."""
    by_signature = {
        name: client.model.signatures[name].structured_outputs
        for name, (_, outputs) in _CONTRACT.items()
        if outputs is _ANSWERS
    }
    wanted = {
        name: kind
        for name, kind in _HEDGES.items()
        if any(name in found for found in by_signature.values())
    }
    for signature, found in by_signature.items():
        _check_tensors(f"output of {signature}", found, wanted)


def _check_tensors(where: str, found: dict, wanted: dict[str, tuple[tf.DType, int]]) -> None:
    for name, (dtype, rank) in wanted.items():
        if name not in found:
            raise ContractError(f"{where}: no {name}, only {', '.join(sorted(found)) or 'nothing'}")
        tensor = found[name]
        if tensor.dtype != dtype:
            raise ContractError(f"{where}: {name} is {tensor.dtype.name}, not {dtype.name}")
        # A shape that is known only when asked is left to the checks that ask.
        if tensor.shape.rank not in (None, rank):
            raise ContractError(f"{where}: {name} has {tensor.shape.rank} dimensions, not {rank}")
        if tensor.shape.rank and tensor.shape[0] is not None:
            raise ContractError(f"{where}: {name} takes batches of {tensor.shape[0]} only")


def check_warm_up(client: Client) -> Finding:
    """What a server replays when it loads the model is answered."""
    for batch in client.warm_up:
        client.ask(features.SERVING_SIGNATURE, batch)
    return None, None, f"{len(client.warm_up)} requests replayed, as a server does"


def check_one_picture(client: Client) -> Finding:
    """A picture in, its class name out."""
    return _check_names(client, 1)


def check_batch(client: Client) -> Finding:
    """Many pictures in, their class names out, in the same order."""
    return _check_names(client, client.settings["batch"])


def _check_names(client: Client, size: int) -> Finding:
    batch = list(itertools.islice(itertools.cycle(client.pictures), size))
    answers = client.ask(features.SERVING_SIGNATURE, batch)
    names = np.array(client.classes, object)
    for name, (_, rank) in {**_ANSWERS, **_HEDGES}.items():
        if name in _HEDGES and name not in answers:
            continue
        shape = (size, len(names))[:rank]
        if answers[name].shape != shape:
            raise ContractError(f"{name} came as {answers[name].shape}, not {shape}")
    told = np.char.decode(answers[features.CLASSES].astype(bytes), "utf-8")
    if not (told == names).all():
        raise ContractError(
            f"classes are {list(told[0])}, the model was exported with {list(names)}"
        )
    best = answers[features.PROBABILITIES].argmax(axis=1)
    labels = [label.decode() for label in answers[features.PREDICTED_LABEL]]
    if labels != list(names[best]):
        raise ContractError("label is not the class of the highest probability")
    if not np.array_equal(
        answers[features.PROBABILITY], answers[features.PROBABILITIES][np.arange(size), best]
    ):
        raise ContractError("probability is not the highest of probabilities")
    sets = answers.get(features.IN_LABEL_SET)
    if sets is not None and not sets[np.arange(size), best].all():
        raise ContractError("label is not in its own label set")
    return None, None, f"{size} in, {size} names out"


def check_probabilities(client: Client) -> Finding:
    """Probabilities are finite and add up to 1."""
    probabilities = client.probabilities(features.SERVING_SIGNATURE, client.pictures)
    if not np.isfinite(probabilities).all() or (probabilities < 0).any():
        raise ContractError("probabilities are not all finite and at least 0")
    off = float(np.abs(probabilities.sum(axis=1) - 1).max())
    return off, _SUM_TOLERANCE, f"{len(probabilities)} pictures: sums off 1 by {off:.1e} at most"


def check_parity(client: Client) -> Finding:
    """A served picture gets what the evaluation saw for it."""
    served = client.probabilities(features.SERVING_SIGNATURE, client.pictures)
    evaluated = client.probabilities(features.EXAMPLES_SIGNATURE, client.records)
    off = float(np.abs(served - evaluated).max())
    message = f"served and evaluated probabilities differ by {off:.1e} at most"
    return off, client.settings["parity_tolerance"], message


def check_malformed(client: Client) -> Finding:
    """Bytes that are no whole picture get an error, and the next picture its answer."""
    good = client.pictures[:1]
    before = client.probabilities(features.SERVING_SIGNATURE, good)
    halves = [first_half(picture) for picture in client.pictures[:_HALVED_PICTURES]]
    for what, malformed in {
        "empty bytes": [b""],
        "a text": [b"not a picture"],
        "half a picture": halves,
    }.items():
        if all(gets_answer(client, data) for data in malformed):
            raise ContractError(f"{what} got an answer instead of an error")
    after = client.probabilities(features.SERVING_SIGNATURE, good)
    if not np.allclose(before, after, rtol=0, atol=client.settings["parity_tolerance"]):
        raise ContractError("a picture gets another answer after malformed bytes")
    return None, None, "malformed bytes get an error, the next picture its answer"


def gets_answer(client: Client, data: bytes) -> bool:
    """Whether the model takes a file for a picture."""
    try:
        client.ask(features.SERVING_SIGNATURE, [data])
    except tf.errors.OpError:
        return False
    return True


def check_latency(client: Client) -> Finding:
    """A request with one picture is answered in time."""
    times_ms = []
    requests = client.settings["latency_requests"] + _WARM_UP_REQUESTS
    for picture in itertools.islice(itertools.cycle(client.pictures), requests):
        start = time.perf_counter()
        client.ask(features.SERVING_SIGNATURE, [picture])
        times_ms.append((time.perf_counter() - start) * 1000)
    median, p95 = np.percentile(times_ms[_WARM_UP_REQUESTS:], [50, 95]).tolist()
    return median, client.settings["max_latency_ms"], f"median {median:.1f} ms, p95 {p95:.1f} ms"
