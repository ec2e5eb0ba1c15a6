"""Parameters that one step hands on to another."""

import pytest

from pipeline.kubeflow.package import backend_rules


@pytest.fixture
def spec() -> dict:
    """A step that gives a parameter and one that takes it."""
    source = {"taskOutputParameter": {"producerTask": "Gate", "outputParameterKey": "word"}}
    definition = {"parameters": {"word": {"parameterType": "STRING"}}}
    return {
        "components": {
            "gate": {"outputDefinitions": definition},
            "user": {"inputDefinitions": definition},
        },
        "root": {
            "dag": {
                "tasks": {
                    "Gate": {"componentRef": {"name": "gate"}},
                    "User": {
                        "componentRef": {"name": "user"},
                        "inputs": {"parameters": {"word": source}},
                    },
                }
            }
        },
    }


def test_a_step_is_told_which_parameters_it_gives(spec):
    handed = backend_rules.executor_input(spec, "Gate", {}, {}, "minio://b/G/1")
    assert handed["outputs"]["parameters"] == {"word": {"outputFile": "/tmp/kfp/outputs/word"}}


def test_what_it_wrote_is_what_the_other_gets(spec):
    given = backend_rules.output_parameters(spec, "Gate", {"parameterValues": {"word": "yes"}})
    assert given == {("Gate", "word"): "yes"}
    handed = backend_rules.executor_input(spec, "User", {}, {}, "minio://b/U/2", given)
    assert handed["inputs"]["parameterValues"] == {"word": "yes"}
    assert backend_rules.output_parameters(spec, "User", {}) == {}


def test_what_was_not_written_is_not_made_up(spec):
    with pytest.raises(ValueError, match="output parameter word was not written"):
        backend_rules.output_parameters(spec, "Gate", {"parameterValues": {}})
    with pytest.raises(ValueError, match="User: Gate has no output parameter word"):
        backend_rules.executor_input(spec, "User", {}, {}, "minio://b/U/2")
