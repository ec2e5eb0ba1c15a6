"""The DataGate's word: what its step leaves for the DataVerdict."""

import pytest

from components.gates import Gate, write_gates
from pipeline.kubeflow.step import data_blessing

GOOD = Gate("leakage", "pass", 0, 0, "no picture has a copy in another split")
ODD = Gate("test split", "warn", 3, None, "not the one that version 3 was judged on")
BAD = Gate("class counts", "fail", 0, 5, "dog has 0 in test, 5 wanted")


@pytest.fixture
def word(tmp_path):
    """`word(*gates)`: what the step of a DataGate with these rows leaves."""

    def word(*gates):
        write_gates(tmp_path, gates)
        blessing = {"artifacts": [{"uri": str(tmp_path)}]}
        executor_input = {"outputs": {"artifacts": {"data_blessing": blessing}}}
        return data_blessing.hand_on({"artifacts": {}}, executor_input)

    return word


def test_a_yes_is_always_the_same_word_so_that_the_verdict_is_cached(word):
    assert word(GOOD) == word(GOOD, ODD)
    assert word(GOOD) == {"artifacts": {}, "parameterValues": {"blessed": "yes"}}


def test_a_no_is_the_rows_that_failed(word):
    refused = "nothing is trained: the data failed the DataGate. "
    assert word(GOOD, BAD, ODD)["parameterValues"] == {
        "blessed": f"{refused}class counts: dog has 0 in test, 5 wanted"
    }


def test_other_steps_are_left_alone():
    output = {"artifacts": {"model": {}}}
    assert data_blessing.hand_on(output, {"outputs": {"artifacts": {"model": {}}}}) == output


def test_a_word_has_an_end(word):
    many = [Gate("leakage", "fail", 1, 0, "x" * 400)] * 100
    assert len(word(*many)["parameterValues"]["blessed"]) == 2000
