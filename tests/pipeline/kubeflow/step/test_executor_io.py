"""What the entrypoint makes of the backend's input and of TFX's output."""

import copy

import pytest

from pipeline.kubeflow.step import executor_io

EXAMPLES = {"instanceSchema": "title: tfx.Examples\ntype: object\n"}
SPEC = {"artifacts": {"examples": {"artifactType": EXAMPLES}}}


@pytest.fixture
def given():
    """An ExecutorInput as the driver makes it."""
    return {
        "inputs": {
            "parameterValues": {"seed": 1.0},
            "artifacts": {
                "examples": {
                    "artifacts": [
                        {
                            "name": "17",
                            "uri": "s3://b/ImageExampleGen/1/examples",
                            "type": {"instanceSchema": ""},
                            "metadata": {
                                "split_names": '["train"]',
                                "span": 0.0,
                                "shares": {"list": [0.8, 0.2]},
                                "counts": {"struct": {"list": [1]}},
                                "nothing": None,
                            },
                        }
                    ]
                }
            },
        },
        "outputs": {
            "artifacts": {
                "model": {
                    "artifacts": [
                        {
                            "name": "model",
                            "uri": "s3://b/Trainer/2/model",
                            "type": {"instanceSchema": "title: tfx.Model\ntype: object\n"},
                        }
                    ]
                },
                "executor-logs": {
                    "artifacts": [
                        {
                            "uri": "s3://b/Trainer/2/executor-logs-0",
                            "type": {"schemaTitle": "system.Artifact"},
                        }
                    ]
                },
            },
            "outputFile": "/s3/b/Trainer/2/output_metadata.json",
        },
    }


def test_types_paths_and_metadata_of_inputs_come_back(given):
    before = copy.deepcopy(given)
    localised = executor_io.for_tfx(given, SPEC, root="/pod")
    (examples,) = localised["inputs"]["artifacts"]["examples"]["artifacts"]
    assert examples["type"] == EXAMPLES
    assert examples["uri"] == "/pod/s3/b/ImageExampleGen/1/examples"
    assert examples["metadata"] == {
        "split_names": '["train"]',
        "span": 0.0,
        "shares": [0.8, 0.2],
        "counts": {"list": [1]},
    }
    assert given == before


def test_outputs_lie_in_local_folders_and_the_backends_own_log_is_left_out(given):
    localised = executor_io.for_tfx(given, SPEC)
    assert list(localised["outputs"]["artifacts"]) == ["model"]
    assert localised["outputs"]["outputFile"] == "/s3/b/Trainer/2/output_metadata.json"
    assert executor_io.output_folders(localised) == ["/s3/b/Trainer/2/model"]


def test_a_step_without_inputs_has_no_inputs(given):
    del given["inputs"]
    assert executor_io.for_tfx(given, {})["inputs"] == {"parameterValues": {}}


def test_an_input_that_the_component_does_not_have_is_an_error(given):
    with pytest.raises(ValueError, match="no input artifact examples"):
        executor_io.for_tfx(given, {"artifacts": {}})


def test_uris_come_back_and_null_metadata_goes(given):
    metadata = {"blessed": 0.0, "version": "", "baseline": None}
    written = {
        "artifacts": {
            "model": {"artifacts": [{"uri": "/pod/s3/b/Trainer/2/model", "metadata": metadata}]}
        }
    }
    before = copy.deepcopy(written)
    restored = executor_io.for_backend(written, given, root="/pod")
    assert restored["artifacts"]["model"]["artifacts"] == [
        {"uri": "s3://b/Trainer/2/model", "metadata": {"blessed": 0.0, "version": ""}}
    ]
    assert written == before, "the argument is as it was"


def test_paths_of_this_machine_stay_as_they_are(given):
    (examples,) = given["inputs"]["artifacts"]["examples"]["artifacts"]
    (model,) = given["outputs"]["artifacts"]["model"]["artifacts"]
    examples["uri"], model["uri"] = "/here/examples", "/here/model"
    localised = executor_io.for_tfx(given, SPEC, root="/pod")
    assert localised["inputs"]["artifacts"]["examples"]["artifacts"][0]["uri"] == "/here/examples"
    assert executor_io.output_folders(localised) == ["/here/model"]
    written = {"artifacts": {"model": {"artifacts": [{"uri": "/here/model"}]}}}
    restored = executor_io.for_backend(written, given, root="/pod")
    assert restored["artifacts"]["model"]["artifacts"] == [{"uri": "/here/model", "metadata": {}}]


def test_what_the_backend_fills_is_kept_from_tfx(given):
    outputs = given["outputs"]
    page = {"uri": "s3://b/Report/1/page", "type": {"schemaTitle": "system.HTML"}}
    outputs["artifacts"]["page"] = {"artifacts": [page]}
    outputs["parameters"] = {"blessed": {"outputFile": "/tmp/kfp/outputs/blessed"}}
    localised = executor_io.for_tfx(given, SPEC)
    assert set(localised["outputs"]) == {"artifacts", "outputFile"}
    assert list(localised["outputs"]["artifacts"]) == ["model"]


def test_only_a_list_or_a_struct_was_wrapped_by_the_store(given):
    (examples,) = given["inputs"]["artifacts"]["examples"]["artifacts"]
    metadata = {"two": {"list": [1], "struct": {}}, "other": {"a": 1}, "none": {}}
    examples["metadata"] = metadata
    localised = executor_io.for_tfx(given, SPEC)
    assert localised["inputs"]["artifacts"]["examples"]["artifacts"][0]["metadata"] == metadata


def test_every_artifact_of_an_input_is_found(given):
    (examples,) = given["inputs"]["artifacts"]["examples"]["artifacts"]
    more = {**examples, "name": "18", "uri": "s3://b/ImageExampleGen/2/examples"}
    given["inputs"]["artifacts"]["examples"]["artifacts"].append(more)
    found = executor_io.for_tfx(given, SPEC)["inputs"]["artifacts"]["examples"]["artifacts"]
    assert [one["uri"] for one in found] == [f"/s3/b/ImageExampleGen/{n}/examples" for n in (1, 2)]
    assert [one["type"] for one in found] == [EXAMPLES, EXAMPLES]


def test_what_a_step_put_elsewhere_stays_there(given):
    written = {"artifacts": {"model": {"artifacts": [{"uri": "s3://other/model"}]}}}
    restored = executor_io.for_backend(written, given, root="/pod")
    assert restored["artifacts"]["model"]["artifacts"][0]["uri"] == "s3://other/model"


def test_an_output_without_a_type_is_none_of_the_backends():
    assert not executor_io.is_system({"artifacts": [{"uri": "s3://b/x"}]})
    assert executor_io.is_system({"artifacts": [{"type": {"schemaTitle": "system.Metrics"}}]})


def test_a_parameter_goes_beside_those_that_are_there():
    output = {"artifacts": {}, "parameterValues": {"one": "1"}}
    assert executor_io.with_parameter(output, "two", "2") == {
        "artifacts": {},
        "parameterValues": {"one": "1", "two": "2"},
    }
    assert output["parameterValues"] == {"one": "1"}
