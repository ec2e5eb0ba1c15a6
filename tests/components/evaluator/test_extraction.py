"""Rows of answers, as TFMA's pipeline hands them on."""

import numpy as np
import pytest
import tensorflow_model_analysis as tfma

from components.evaluator.extraction import _to_row

KNOWN = {
    "image_id": np.array([b"id"]),
    "path": np.array([b"s\xc3\xbc\xc3\x9f.png"]),
    "label": b"cat",
}


def row(answers, order=None) -> dict:
    return _to_row({tfma.FEATURES_KEY: KNOWN, tfma.PREDICTIONS_KEY: answers}, order)


def outputs(*probabilities: float, **more) -> dict:
    return {"probabilities": np.array([probabilities]), "label": np.array([b"cat"]), **more}


def test_a_picture_is_told_with_what_the_model_says_of_it():
    assert row(outputs(0.25, 0.75)) == {
        "image_id": "id",
        "path": "süß.png",
        "label": "cat",
        "candidate": [0.25, 0.75],
        "served": None,
        "unsure": None,
        "in_label_set": None,
    }


@pytest.mark.parametrize("unsure", [False, True])
def test_sureness_and_label_set_are_those_of_the_model_and_not_of_the_served_one(unsure):
    sets, others = np.array([[True, False]]), np.array([[False, True]])
    answers = {
        tfma.CANDIDATE_KEY: outputs(0.25, 0.75, unsure=np.array([unsure]), in_label_set=sets),
        tfma.BASELINE_KEY: outputs(0.5, 0.5, unsure=np.array([not unsure]), in_label_set=others),
    }
    found = row(answers, [0, 1])
    assert (found["unsure"], found["in_label_set"]) == (unsure, [True, False])


def test_probabilities_of_the_served_model_are_in_the_order_of_the_model_s_classes():
    answers = {
        tfma.CANDIDATE_KEY: outputs(0.5, 0.25, 0.25),
        tfma.BASELINE_KEY: outputs(0.125, 0.75, 0.125 / 2),
    }
    found = row(answers, [1, 2, 0])
    assert found["candidate"] == [0.5, 0.25, 0.25]
    assert found["served"] == [0.75, 0.0625, 0.125]


def test_a_model_of_one_output_gives_probabilities_alone():
    found = row(np.array([0.25, 0.75]))
    assert found["candidate"] == [0.25, 0.75] and found["unsure"] is found["in_label_set"] is None
