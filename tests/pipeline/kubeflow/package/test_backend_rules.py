"""The backend's rules, one by one."""

import copy

import pytest

from pipeline.kubeflow.package import backend_rules

MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
SPEC = {
    "schemaVersion": "2.1.0",
    "pipelineInfo": {"name": "tiny"},
    "deploymentSpec": {
        "executors": {
            "Trainer_executor": {"container": {"image": "graft:1"}},
            "Pusher_executor": {"container": {"image": "graft:1"}},
        }
    },
    "components": {
        "Trainer": {
            "executorLabel": "Trainer_executor",
            "inputDefinitions": {
                "parameters": {
                    "epochs": {"parameterType": "NUMBER_INTEGER"},
                    "name": {"parameterType": "STRING"},
                    "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.5},
                    "note": {"parameterType": "STRING", "isOptional": True},
                }
            },
            "outputDefinitions": {
                "artifacts": {"model": {"artifactType": MODEL, "metadata": {"kind": "cnn"}}}
            },
        },
        "Pusher": {
            "executorLabel": "Pusher_executor",
            "inputDefinitions": {"artifacts": {"model": {"artifactType": MODEL}}},
        },
    },
    "root": {
        "inputDefinitions": {
            "parameters": {
                "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 8.0},
                "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.1},
                "source": {"parameterType": "STRING", "defaultValue": "digits"},
            }
        },
        "dag": {
            "tasks": {
                "Trainer": {
                    "componentRef": {"name": "Trainer"},
                    "inputs": {
                        "parameters": {
                            "epochs": {"componentInputParameter": "epochs"},
                            "name": {"runtimeValue": {"constant": 3.0}},
                        }
                    },
                },
                "Pusher": {
                    "componentRef": {"name": "Pusher"},
                    "dependentTasks": ["Trainer"],
                    "inputs": {
                        "artifacts": {
                            "model": {
                                "taskOutputArtifact": {
                                    "producerTask": "Trainer",
                                    "outputArtifactKey": "model",
                                }
                            }
                        }
                    },
                },
            }
        },
    },
}


@pytest.fixture
def spec():
    return copy.deepcopy(SPEC)


def test_a_spec_that_the_backend_takes(spec):
    backend_rules.check_accepted(spec)


def test_spec_2_0_is_refused(spec):
    spec["schemaVersion"] = "2.0.0"
    with pytest.raises(ValueError, match=r"schema version 2\.1\.0 only, the package has 2\.0\.0"):
        backend_rules.check_accepted(spec)


def test_a_resolver_is_refused(spec):
    spec["deploymentSpec"]["executors"]["Pusher_executor"] = {"resolver": {}}
    with pytest.raises(ValueError, match="task Pusher: resolver executors are not implemented"):
        backend_rules.check_accepted(spec)


@pytest.mark.parametrize("name", ["latest_model", "-Trainer", "Trainer\n", ""])
def test_a_name_that_argo_does_not_take_is_refused(name, spec):
    tasks = spec["root"]["dag"]["tasks"]
    tasks[name] = tasks.pop("Trainer")
    with pytest.raises(ValueError, match=f"task {name}: Argo takes letters, digits"):
        backend_rules.check_accepted(spec)


def test_a_task_without_executor_is_refused(spec):
    del spec["deploymentSpec"]["executors"]["Pusher_executor"]
    with pytest.raises(ValueError, match="task Pusher: missing executors"):
        backend_rules.check_accepted(spec)


def test_parameters_of_a_run_have_the_packages_defaults(spec):
    values = backend_rules.run_parameter_values(spec, {"epochs": 3, "source": "5"})
    assert values == {"epochs": 3, "rate": 0.1, "source": "5"}
    nothing = {"epochs": 0, "rate": 0.0, "source": ""}
    assert backend_rules.run_parameter_values(spec, nothing) == nothing


def test_a_parameter_that_the_package_does_not_have_is_refused(spec):
    with pytest.raises(ValueError, match=r"no run parameter epoch .*epochs, rate, source"):
        backend_rules.run_parameter_values(spec, {"epoch": 3})


def test_a_parameter_without_default_must_be_given(spec):
    del spec["root"]["inputDefinitions"]["parameters"]["source"]["defaultValue"]
    with pytest.raises(ValueError, match="run parameter source has no default"):
        backend_rules.run_parameter_values(spec, {})


def test_what_the_driver_hands_a_step(spec):
    parameters = {"epochs": 8.0}
    handed = backend_rules.executor_input(spec, "Trainer", parameters, {}, "minio://b/T/1")
    assert handed["inputs"] == {
        "parameterValues": {"epochs": 8.0, "name": "3.0", "rate": 0.5},
        "artifacts": {},
    }
    model = {
        "name": "model",
        "uri": "minio://b/T/1/model",
        "type": MODEL,
        "metadata": {"kind": "cnn"},
    }
    assert handed["outputs"]["artifacts"]["model"] == {"artifacts": [model]}
    log = handed["outputs"]["artifacts"]["executor-logs"]["artifacts"][0]
    assert log["type"] == {"schemaTitle": "system.Artifact"}, "no type that TFX knows"


def test_a_parameter_of_another_type_is_refused(spec):
    with pytest.raises(ValueError, match='expect NUMBER_INTEGER, got "8"'):
        backend_rules.executor_input(spec, "Trainer", {"epochs": "8"}, {}, "minio://b/T/1")


def test_true_is_no_number(spec):
    with pytest.raises(ValueError, match="epochs: type mismatch: expect NUMBER_INTEGER, got true"):
        backend_rules.executor_input(spec, "Trainer", {"epochs": True}, {}, "minio://b/T/1")


def test_a_component_parameter_without_value_is_refused(spec):
    del spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]["name"]
    with pytest.raises(ValueError, match="Trainer: neither value nor default for parameter name"):
        backend_rules.executor_input(spec, "Trainer", {"epochs": 8}, {}, "minio://b/T/1")


def test_a_consumer_gets_an_artifact_without_type_and_with_the_stores_metadata(spec):
    handed = backend_rules.executor_input(spec, "Trainer", {"epochs": 8}, {}, "minio://b/T/1")
    metadata = {"blessed": True, "splits": ["train"], "counts": {"a": 1}, "rate": 0.5}
    written = {"artifacts": {"model": {"artifacts": [{"metadata": metadata}]}}}
    model = backend_rules.merge(handed, written)["model"]
    assert model["uri"] == "minio://b/T/1/model"
    known = {("Trainer", "model"): backend_rules.record("model", model, 17)}
    (got,) = backend_rules.executor_input(spec, "Pusher", {}, known, "minio://b/P/2")["inputs"][
        "artifacts"
    ]["model"]["artifacts"]
    assert (got["name"], got["type"]) == ("17", {"instanceSchema": ""})
    assert got["metadata"] == {
        "display_name": "model",
        "store_session_info": "null",
        "kind": "cnn",
        "blessed": 1,
        "splits": {"list": ["train"]},
        "counts": {"struct": {"a": 1}},
        "rate": 0.5,
    }
    assert type(got["metadata"]["blessed"]) is int, "the store has no kind for yes and no"


def test_what_a_step_wrote_goes_before_what_the_driver_laid_out(spec):
    handed = backend_rules.executor_input(spec, "Trainer", {"epochs": 8}, {}, "minio://b/T/1")
    written = {"artifacts": {"model": {"artifacts": [{"metadata": {"kind": "transformer"}}]}}}
    assert backend_rules.merge(handed, written)["model"]["metadata"] == {"kind": "transformer"}
    assert backend_rules.merge(handed, {})["model"]["metadata"] == {"kind": "cnn"}


def test_null_metadata_is_refused():
    artifact = {"uri": "minio://b/T/1/model", "metadata": {"baseline": None}}
    with pytest.raises(ValueError, match=r"metadata model\.baseline: .* takes no null"):
        backend_rules.record("model", artifact, 1)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"componentInputParameter": "epoch"}, "Trainer: the run has no parameter epoch$"),
        ({"taskFinalStatus": {}}, "Trainer: parameter epochs comes from taskFinalStatus$"),
        ({"runtimeValue": {"constant": None}}, "epochs: type mismatch: expect NUMBER_INTEGER, got"),
        ({"runtimeValue": {"constant": "8"}}, "epochs: type mismatch: expect NUMBER_INTEGER, got"),
    ],
)
def test_a_parameter_of_a_step_that_comes_from_nowhere_is_refused(spec, source, says):
    spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]["epochs"] = source
    with pytest.raises(ValueError, match=says):
        backend_rules.executor_input(spec, "Trainer", {"epochs": 8}, {}, "minio://b/T/1")


def test_a_struct_or_a_list_cannot_be_null(spec):
    parameters = spec["components"]["Trainer"]["inputDefinitions"]["parameters"]
    parameters["epochs"]["parameterType"] = "LIST"
    with pytest.raises(ValueError, match="epochs: type mismatch: expect LIST, got null"):
        backend_rules.executor_input(spec, "Trainer", {"epochs": None}, {}, "minio://b/T/1")
    handed = backend_rules.executor_input(spec, "Trainer", {"epochs": [1]}, {}, "minio://b/T/1")
    assert handed["inputs"]["parameterValues"]["epochs"] == [1]


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (3.0, "3.0"), ([1, "a"], '[1, "a"]'), ("a", "a")]
)
def test_every_value_may_become_a_text(spec, value, text):
    spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]["name"] = {
        "runtimeValue": {"constant": value}
    }
    handed = backend_rules.executor_input(spec, "Trainer", {"epochs": 8}, {}, "minio://b/T/1")
    assert handed["inputs"]["parameterValues"]["name"] == text


def test_what_a_step_makes_of_its_input_is_nothing_to_the_next(spec):
    known = {("Trainer", "model"): {"name": "1", "uri": "minio://b/m", "metadata": {"a": [1]}}}
    before = copy.deepcopy(known)
    handed = backend_rules.executor_input(spec, "Pusher", {}, known, "minio://b/P/2")
    (model,) = handed["inputs"]["artifacts"]["model"]["artifacts"]
    model["uri"] = "/pod/m"
    model["metadata"]["a"].append(2)
    assert known == before


def test_an_input_that_nobody_made_is_refused(spec):
    with pytest.raises(ValueError, match="Pusher: Trainer has no output model"):
        backend_rules.executor_input(spec, "Pusher", {}, {}, "minio://b/P/2")


def key(
    spec,
    task="Pusher",
    number=17,
    image="graft:1",
    args=("a",),
    claims=("one",),
    run=1,
    **parameters,
):
    """The cache key of a task that gets the Trainer's model of that number."""
    known = {("Trainer", "model"): {"name": str(number), "uri": "minio://b/m", "metadata": {}}}
    given = backend_rules.executor_input(spec, task, parameters, known, f"minio://b/{run}")
    container = {"image": image, "command": ["python"], "args": list(args)}
    return backend_rules.cache_key(spec, task, given, container, claims)


def backwards(block):
    """The same, with the keys of every block in the other order."""
    if isinstance(block, dict):
        return {key: backwards(value) for key, value in reversed(block.items())}
    return block


def test_the_cache_key_is_that_of_what_a_step_is_handed(spec):
    same = key(spec)
    assert key(spec, run=2) == same, "places of outputs, other ones in each run, do not matter"
    assert key(spec, claims=("one", "one")) == same
    assert key(spec, claims=("one", "two")) == key(spec, claims=("two", "one"))
    trainer = {"task": "Trainer", "source": "digits", "epochs": 8}
    assert key(backwards(spec), **trainer) == key(spec, **trainer), "nor does the order of keys"
    others = [
        key(spec, number=18),  # the same files under another number are another artifact
        key(spec, image="graft:2"),
        key(spec, args=("b",)),
        key(spec, claims=("one", "two")),
        key(spec, "Trainer", epochs=1),
        key(spec, "Trainer", epochs=2),
    ]
    assert len({same, *others}) == 7


def test_the_cache_key_is_that_of_the_whole_command_line(spec):
    known = {("Trainer", "model"): {"name": "1", "uri": "minio://b/m", "metadata": {}}}
    given = backend_rules.executor_input(spec, "Pusher", {}, known, "minio://b/1")
    keys = {
        backend_rules.cache_key(spec, "Pusher", given, container, ())
        for container in ({}, {"command": ["a"]}, {"command": ["b"]}, {"args": ["b", "a"]})
    }
    assert len(keys) == 4


def test_the_cache_is_that_of_one_pipeline(spec):
    before = key(spec)
    spec["pipelineInfo"]["name"] = "other"
    assert key(spec) != before


def with_output(spec):
    """The Trainer says something that the Pusher is handed."""
    said = {"parameters": {"said": {"parameterType": "STRING"}}}
    spec["components"]["Trainer"]["outputDefinitions"].update(copy.deepcopy(said))
    spec["components"]["Pusher"]["inputDefinitions"].update(copy.deepcopy(said))
    source = {"producerTask": "Trainer", "outputParameterKey": "said"}
    spec["root"]["dag"]["tasks"]["Pusher"]["inputs"] = {
        "parameters": {"said": {"taskOutputParameter": source}}
    }
    return spec


def test_an_output_parameter_is_handed_on(spec):
    spec = with_output(spec)
    given = backend_rules.executor_input(spec, "Trainer", {"epochs": 1}, {}, "minio://b/T/1")
    assert given["outputs"]["parameters"] == {"said": {"outputFile": "/tmp/kfp/outputs/said"}}
    said = backend_rules.output_parameters(spec, "Trainer", {"parameterValues": {"said": "yes"}})
    handed = backend_rules.executor_input(spec, "Pusher", {}, {}, "minio://b/P/1", said)
    assert handed["inputs"]["parameterValues"] == {"said": "yes"}


def test_an_output_parameter_that_nobody_wrote_is_refused(spec):
    spec = with_output(spec)
    with pytest.raises(ValueError, match="output parameter said was not written"):
        backend_rules.output_parameters(spec, "Trainer", {})
    with pytest.raises(ValueError, match="Pusher: Trainer has no output parameter said"):
        backend_rules.executor_input(spec, "Pusher", {}, {}, "minio://b/P/1")


def test_a_condition_is_refused(spec):
    spec["root"]["dag"]["tasks"]["Pusher"]["triggerPolicy"] = {"condition": "false"}
    with pytest.raises(ValueError, match=r"task Pusher: has a condition \(triggerPolicy\)"):
        backend_rules.check_accepted(spec)


def test_a_parameter_of_a_run_that_may_be_left_out_is_left_out(spec):
    del spec["root"]["inputDefinitions"]["parameters"]["source"]["defaultValue"]
    spec["root"]["inputDefinitions"]["parameters"]["source"]["isOptional"] = True
    assert backend_rules.run_parameter_values(spec, {}) == {"epochs": 8.0, "rate": 0.1}


def test_the_cache_key_is_that_of_what_a_step_gives_too(spec):
    before = {task: key(spec, task, epochs=1) for task in ("Trainer", "Pusher")}
    outputs = spec["components"]["Trainer"]["outputDefinitions"]
    outputs["artifacts"]["model"]["metadata"]["kind"] = "transformer"
    kind = key(spec, "Trainer", epochs=1)
    outputs["artifacts"]["model"]["artifactType"] = {"instanceSchema": "title: tfx.Other\n"}
    other = key(spec, "Trainer", epochs=1)
    outputs["parameters"] = {"said": {"parameterType": "STRING"}}
    said = key(spec, "Trainer", epochs=1)
    assert len({before["Trainer"], kind, other, said}) == 4
    assert key(spec, "Pusher", epochs=1) == before["Pusher"]


def test_a_step_may_put_an_output_elsewhere(spec):
    handed = backend_rules.executor_input(spec, "Trainer", {"epochs": 8}, {}, "minio://b/T/1")
    for written, uri in (("s3://other/m", "s3://other/m"), ("", "minio://b/T/1/model")):
        output = {"artifacts": {"model": {"artifacts": [{"uri": written}]}}}
        merged = backend_rules.merge(handed, output)
        assert merged["model"]["uri"] == uri and set(merged) == {"model"}
