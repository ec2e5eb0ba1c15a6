"""Checks asked of stand-ins in plain Python, which can go wrong in ways a graph hardly can."""

import numpy as np
import pytest
import tensorflow as tf

from components import features
from components.serving_gate import client
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


def test_probabilities_below_0_are_refused_although_they_add_up_to_1():
    with pytest.raises(ContractError, match="at least 0"):
        check_probabilities(make_client(lambda _: answers([1.2, -0.2])))


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
    """Such as a photo with a film behind it: another picture must tell."""
    film, photo = b"a photo and its film", b"a plain photo"
    answered = {film, film[: len(film) // 2], photo}

    def serve(picture):
        if picture not in answered:
            raise REFUSAL
        return answers([0.8, 0.2])

    check_malformed(make_client(serve, [film, photo]))
    with pytest.raises(ContractError, match="half a picture got an answer"):
        check_malformed(make_client(serve, [film]))


def test_a_value_equal_to_its_bound_passes():
    assert _found("latency", (5.0, 5.0, "5 ms")).verdict == "pass"
    assert _found("latency", (5.1, 5.0, "5 ms")).verdict == "fail"
    assert _found("latency", (float("nan"), 5.0, "5 ms")).verdict == "fail"


def test_as_many_pictures_are_read_as_there_are_samples(examples):
    split = str(examples / "Split-test")
    assert len(client.read_records(split, 5)) == 5
    assert len(client.read_records(split, 1000)) == 42
