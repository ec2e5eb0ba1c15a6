"""The Pusher's word: what its step leaves for the Verdict."""

import pytest

from components.gates import Gate, write_gates
from pipeline.kubeflow.step import pushed

GATES = ("data_blessing", "model_blessing", "infra_blessing")


@pytest.fixture
def word(tmp_path):
    """`word(metadata, *failed)`: the word of a push whose gates of these outputs said no."""

    def word(metadata, *failed, said="said it"):
        inputs = {}
        for number, key in enumerate(GATES):
            folder = tmp_path / key
            folder.mkdir(exist_ok=True)
            verdict = "fail" if key in failed else "pass"
            write_gates(folder, [Gate(f"gate {number}", verdict, 1, 2, f"{key} {said}")])
            inputs[key] = {"artifacts": [{"uri": str(folder)}]}
        output = {
            "artifacts": {"pushed_model": {"artifacts": [metadata]}},
            "parameterValues": {"other": "kept"},
        }
        found = pushed.hand_on(output, {"inputs": {"artifacts": inputs}})
        assert found["artifacts"] == output["artifacts"]
        assert found["parameterValues"].pop("other") == "kept"
        return found["parameterValues"]

    return word


def test_every_gate_that_said_no_is_named_in_order(word):
    refused = "not pushed, what is served is as it was. "
    assert word({"metadata": {"pushed": 0}}, "infra_blessing", "data_blessing") == {
        "pushed": f"{refused}gate 0: data_blessing said it; gate 2: infra_blessing said it"
    }
    assert word({}, "model_blessing") == {"pushed": f"{refused}gate 1: model_blessing said it"}


@pytest.mark.parametrize("metadata", [{"pushed": 1}, {"pushed": 0, "already_served": "7"}])
def test_what_is_served_was_pushed_now_or_before(word, metadata):
    assert word({"metadata": metadata}) == {"pushed": "yes"}


def test_a_word_has_an_end(word):
    assert len(word({}, "model_blessing", said="x" * 5000)["pushed"]) == 4000


def test_other_steps_are_left_alone():
    output = {"artifacts": {"model": {}}}
    assert pushed.hand_on(output, {}) is output
