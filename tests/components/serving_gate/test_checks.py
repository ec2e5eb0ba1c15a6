"""Checks asked of stand-ins in plain Python, which can go wrong in ways a graph hardly can."""

import dataclasses
import io
import itertools
import json
import re
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components import features
from components.gates import Gate
from components.serving_gate import client, contract, originals
from components.serving_gate.client import _found
from components.serving_gate.contract import (
    Client,
    ContractError,
    check_malformed,
    check_one_picture,
    check_probabilities,
)

CLASSES = ["cat", "dog"]
REFUSAL = tf.errors.InvalidArgumentError(None, None, "no picture")


def answers(probabilities, label=None) -> dict:
    """What a model says about one picture."""
    best = int(np.argmax(probabilities))
    return {
        features.PREDICTED_LABEL: tf.constant([label or CLASSES[best]]),
        features.PROBABILITY: tf.constant([max(probabilities)], tf.float32),
        features.PROBABILITIES: tf.constant([probabilities], tf.float32),
        features.CLASSES: tf.constant([CLASSES]),
    }


def make_client(serve, pictures=(b"a good picture",)) -> Client:
    """A client of a model whose `serving_default` is a function of the bytes of one picture."""

    class Model:
        signatures = {features.SERVING_SIGNATURE: lambda image_bytes: serve(image_bytes.numpy()[0])}

    settings = {"batch": 1, "parity_tolerance": 1e-4}
    return Client(Model(), CLASSES, [], list(pictures), settings)


def test_a_label_that_is_not_the_most_probable_is_refused():
    assert check_one_picture(make_client(lambda _: answers([0.8, 0.2])))
    with pytest.raises(ContractError, match="label is not the class of the highest probability"):
        check_one_picture(make_client(lambda _: answers([0.8, 0.2], label="dog")))


def test_a_probability_that_is_not_the_highest_is_refused():
    told = answers([0.8, 0.2]) | {features.PROBABILITY: tf.constant([0.2])}
    with pytest.raises(ContractError, match="probability is not the highest of probabilities"):
        check_one_picture(make_client(lambda _: told))


@pytest.mark.parametrize(
    ("name", "told", "message"),
    [
        (features.PROBABILITY, [[0.8]], "probability came as (1, 1), not (1,)"),
        (features.PROBABILITIES, [[0.8, 0.1, 0.1]], "probabilities came as (1, 3), not (1, 2)"),
        (features.UNSURE, [[True]], "unsure came as (1, 1), not (1,)"),
        (features.IN_LABEL_SET, [True, False], "in_label_set came as (2,), not (1, 2)"),
    ],
)
def test_an_answer_of_another_shape_is_refused(name, told, message):
    asked = make_client(lambda _: answers([0.8, 0.2]) | {name: tf.constant(told)})
    with pytest.raises(ContractError, match=re.escape(message)):
        check_one_picture(asked)


def test_probabilities_below_0_are_refused_although_they_add_up_to_1():
    with pytest.raises(ContractError, match="at least 0"):
        check_probabilities(make_client(lambda _: answers([1.2, -0.2])))


def test_a_probability_of_0_is_one():
    assert check_probabilities(make_client(lambda _: answers([1.0, 0.0])))[0] == 0.0


def test_one_picture_of_many_is_enough_to_break_a_promise():
    """The largest difference counts, not the mean."""
    pictures = [b"good", b"bad", *[b"good"] * 98]
    off = {b"good": [0.75, 0.25], b"bad": [0.75, 0.2]}
    asked = make_client(lambda picture: answers(off[picture]), pictures)
    value, bound, message = check_probabilities(asked)
    assert value == pytest.approx(0.05) and value > bound
    assert message == "100 pictures: sums off 1 by 5.0e-02 at most"

    class Model:
        signatures = {
            features.SERVING_SIGNATURE: lambda image_bytes: answers([0.75, 0.25]),
            features.EXAMPLES_SIGNATURE: lambda examples: answers(off[examples.numpy()[0]]),
        }

    asked = dataclasses.replace(asked, model=Model(), records=pictures)
    value, bound, _ = contract.check_parity(asked)
    assert value == pytest.approx(0.05) and bound == 1e-4
    Model.signatures = {
        features.SERVING_SIGNATURE: lambda image_bytes: answers(off[image_bytes.numpy()[0]]),
        features.EXAMPLES_SIGNATURE: lambda examples: answers([0.75, 0.25]),
    }
    assert contract.check_parity(asked)[0] == pytest.approx(0.05), "in either direction"


def test_answers_in_another_order_than_the_pictures_are_refused():
    told = {
        features.PREDICTED_LABEL: tf.constant(["dog", "cat"]),
        features.PROBABILITY: tf.constant([0.75, 0.75]),
        features.PROBABILITIES: tf.constant([[0.75, 0.25], [0.25, 0.75]]),
        features.CLASSES: tf.constant([CLASSES] * 2),
    }

    class Model:
        signatures = {features.SERVING_SIGNATURE: lambda image_bytes: told}

    asked = Client(Model(), CLASSES, [], [b"a good picture"], {"batch": 2})
    with pytest.raises(ContractError, match="label is not the class of the highest probability"):
        contract.check_batch(asked)
    told[features.PREDICTED_LABEL] = tf.constant(["cat", "dog"])
    assert contract.check_batch(asked)[2] == "2 in, 2 names out"
    told[features.CLASSES] = tf.constant([CLASSES, CLASSES[::-1]])
    with pytest.raises(ContractError, match="the model was exported with"):
        contract.check_batch(asked)


def test_all_pictures_of_every_request_that_a_server_replays_are_asked():
    asked = []

    class Model:
        signatures = {
            features.SERVING_SIGNATURE: lambda image_bytes: (
                asked.append(image_bytes.numpy().tolist()) or answers([0.8, 0.2])
            )
        }

    requests = [[b"one"], [b"two", b"three"]]
    client = Client(Model(), CLASSES, [], [], {}, warm_up=requests)
    assert contract.check_warm_up(client)[2].startswith("2 requests replayed")
    assert asked == requests


def test_a_model_that_breaks_has_not_refused():
    def serve(picture):
        if picture != b"a good picture":
            raise RuntimeError("a fault of its own")
        return answers([0.8, 0.2])

    with pytest.raises(RuntimeError, match="a fault of its own"):
        check_malformed(make_client(serve))


@pytest.mark.parametrize(("taken", "what"), [(b"", "empty bytes"), (b"not a picture", "a text")])
def test_every_kind_of_malformed_bytes_must_be_refused(taken, what):
    def serve(picture):
        if picture not in (taken, b"a good picture"):
            raise REFUSAL
        return answers([0.8, 0.2])

    with pytest.raises(ContractError, match=f"{what} got an answer instead of an error"):
        check_malformed(make_client(serve))


def test_every_label_must_be_in_its_own_set():
    told = {features.IN_LABEL_SET: tf.constant([[True, False], [False, True]])}
    both = {name: tf.repeat(value, 2, axis=0) for name, value in answers([0.8, 0.2]).items()}

    class Model:
        signatures = {features.SERVING_SIGNATURE: lambda image_bytes: {**both, **told}}

    asked = Client(Model(), CLASSES, [], [b"a good picture"], {"batch": 2})
    with pytest.raises(ContractError, match="label is not in its own label set"):
        contract.check_batch(asked)


def test_a_model_that_answers_otherwise_after_malformed_bytes_is_refused():
    refused = []

    def serve(picture):
        if picture != b"a good picture":
            refused.append(picture)
            raise REFUSAL
        return answers([0.2, 0.8] if refused and spoiled else [0.8, 0.2])

    spoiled = False
    check_malformed(make_client(serve))
    assert b"" in refused and b"a good " in refused
    refused.clear()
    spoiled = True
    with pytest.raises(ContractError, match="another answer after malformed bytes"):
        check_malformed(make_client(serve))


def test_a_picture_that_is_whole_in_its_first_half_proves_nothing():
    """Such as a PNG with something behind it: another picture must tell."""
    longer, plain = b"a picture and something", b"a plain picture"
    answered = {longer, longer[: len(longer) // 2], plain}

    def serve(picture):
        if picture not in answered:
            raise REFUSAL
        return answers([0.8, 0.2])

    check_malformed(make_client(serve, [longer, plain]))
    with pytest.raises(ContractError, match="half a picture got an answer"):
        check_malformed(make_client(serve, [longer]))


class Function:
    """A signature as TensorFlow shows it, with the names and types of the contract."""

    def __init__(self, signature, batch=None, more=(), rank_of=()):
        name, outputs = contract._CONTRACT[signature]
        taken = {key: tf.TensorSpec([batch], tf.string) for key in (name, *more)}
        self.structured_input_signature = ((), taken)
        self.structured_outputs = {
            key: tf.TensorSpec(self._shape(batch, dict(rank_of).get(key, rank)), dtype)
            for key, (dtype, rank) in outputs.items()
        }

    @staticmethod
    def _shape(batch, rank):
        return None if rank is None else [batch, *[2] * (rank - 1)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"rank_of": {"probability": None}}, None),  # it is known when the model is asked
        ({"more": ["threshold"]}, "serving_default asks for more than image_bytes: threshold"),
        ({"batch": 8}, "input of serving_default: image_bytes takes batches of 8 only"),
        (
            {"rank_of": {"probability": 2}},
            "output of serving_default: probability has 2 dimensions, not 1",
        ),
    ],
)
def test_a_signature_that_clients_cannot_call_is_refused(change, message):
    functions = {name: Function(name) for name in contract._CONTRACT}
    functions[features.SERVING_SIGNATURE] = Function(features.SERVING_SIGNATURE, **change)
    asked = Client(types.SimpleNamespace(signatures=functions), CLASSES, [], [], {})
    if message is None:
        assert contract.check_signatures(asked)
    else:
        with pytest.raises(ContractError, match=message):
            contract.check_signatures(asked)


def test_an_original_picture_that_is_refused_is_no_agreed_refusal():
    """Refused are files of formats that the contract leaves out, and only these."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")

    def refuse(_):
        raise REFUSAL

    asked = make_client(refuse)
    asked.settings["original_tolerance"] = 0.01
    text = dataclasses.replace(asked, originals={"1.text": b"not a picture"})
    assert originals.check_originals(text)[2].endswith("refused, as agreed: 1 TEXT")
    picture = dataclasses.replace(asked, originals={"1.png": file.getvalue()})
    with pytest.raises(ContractError, match=r"1\.png is refused: no picture"):
        originals.check_originals(picture)


def test_a_jpeg_may_be_decoded_at_a_fraction_of_its_size():
    """Then it agrees with what Pillow shows at that size, and the gate goes by the best."""
    file = io.BytesIO()
    Image.new("RGB", (256, 256)).save(file, "JPEG")

    def serve(picture):
        with Image.open(io.BytesIO(picture)) as image:
            whole = image.format == "PNG" and image.size == (256, 256)
        return answers([0.7, 0.3] if whole else [0.8, 0.2])

    asked = make_client(serve)
    asked.settings["original_tolerance"] = 0.01
    asked = dataclasses.replace(asked, originals={"1.jpg": file.getvalue()})
    assert originals.check_originals(asked)[0] == 0.0


def test_where_no_fraction_agrees_the_nearest_is_told():
    file = io.BytesIO()
    Image.new("RGB", (256, 256)).save(file, "JPEG")
    cat = {("JPEG", 256): 0.8, ("PNG", 256): 0.3, ("PNG", 128): 0.7, ("PNG", 64): 0.4}

    def serve(picture):
        with Image.open(io.BytesIO(picture)) as image:
            sure = cat[image.format, image.width]
        return answers([sure, 1 - sure])

    asked = make_client(serve)
    asked.settings["original_tolerance"] = 0.01
    asked = dataclasses.replace(asked, originals={"1.jpg": file.getvalue()})
    value, _, message = originals.check_originals(asked)
    assert value == pytest.approx(0.1) and message.endswith(" (1.jpg)")


def test_the_first_requests_do_not_count_for_latency(monkeypatch):
    """TensorFlow traces then."""
    clock = itertools.accumulate([0.0, 9.0] * 3 + [0.0, 0.001] * 4 + [0.0, 0.011])
    monkeypatch.setattr(contract.time, "perf_counter", lambda: next(clock))
    asked = make_client(lambda _: answers([0.8, 0.2]))
    asked.settings.update(latency_requests=5, max_latency_ms=10.0)
    value, bound, message = contract.check_latency(asked)
    assert value == pytest.approx(1.0) and bound == 10.0
    assert message == "median 1.0 ms, p95 9.0 ms"


def test_a_value_equal_to_its_bound_passes():
    assert _found("latency", (5.0, 5.0, "5 ms")).verdict == "pass"
    assert _found("latency", (5.1, 5.0, "5 ms")).verdict == "fail"
    assert _found("latency", (float("nan"), 5.0, "5 ms")).verdict == "fail"
    assert _found("parity", (0.0, 0.0, "equal")).verdict == "pass"
    assert _found("parity", (1e-9, 0.0, "nearly")).verdict == "fail"
    assert _found("batch", (None, None, "as agreed")).message == "as agreed"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ValueError("while it ran:\n  no picture \n\t [[{{node decode}}]]\n\n \n"),
            "no picture",
        ),
        (ValueError("[[decode]]"), "ValueError"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_of_an_error_the_last_line_that_says_why_is_told(error, message):
    gate = client._failed("batch", error)
    assert (gate.name, gate.verdict, gate.message) == ("batch", "fail", message)


def test_every_answer_is_on_the_disk_before_the_next_check(tmp_path, monkeypatch):
    """A model that takes the process down takes no earlier answer with it."""
    file, there = tmp_path / "answers", []

    def run(request, _):
        for name in ("one", "two"):
            yield Gate(name, "pass", None, None, request["model"])
            there.append(file.read_text().count("\n"))

    monkeypatch.setattr(client, "run", run)
    client.main(io.StringIO(json.dumps({"answers": str(file), "model": "m"})))
    assert there == [1, 2]


def test_as_many_pictures_are_read_as_there_are_samples(examples):
    split = str(examples / "Split-test")
    assert len(client.read_records(split, 5)) == 5
    assert len(client.read_records(split, 1000)) == 42
    folder = str(examples / "originals")
    assert len(client.read_originals(folder, 2)) == 2
    assert len(client.read_originals(folder, 1000)) == 3


def test_pictures_are_read_in_the_order_of_their_files_names(tmp_path):
    split, kept = tmp_path / "split", tmp_path / "originals"
    for folder in (split, kept, kept / "0"):
        folder.mkdir()
    for name in "86421357":
        with tf.io.TFRecordWriter(str(split / name), features.COMPRESSION) as writer:
            writer.write(name.encode())
        (kept / name).write_text(name)
    assert client.read_records(str(split), 6) == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert client.read_originals(str(kept), 6) == {
        name: name.encode() for name in ("1", "2", "3", "4", "5", "6")
    }
