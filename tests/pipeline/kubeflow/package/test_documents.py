"""A package that was edited by hand: what is wrong is told with its place."""

import copy
import json

import pytest
import yaml

from components.errors import UserError
from pipeline.config import load_recipe
from pipeline.kubeflow.compiler.parameters import exposed_settings
from pipeline.kubeflow.compiler.post_process import post_process
from pipeline.kubeflow.package.documents import is_package, load_package, parse_package

TRAINER = ("deploymentSpec", "executors", "Trainer_executor", "container")
KUBERNETES = ("platforms", "kubernetes", "deploymentSpec", "executors", "Trainer_executor")
TASKS = ("root", "dag", "tasks")
FORM = ("root", "inputDefinitions", "parameters")
GONE = object()


@pytest.fixture(scope="module")
def processed(compiled_json):
    """The two documents of a package, of which tests get copies."""
    recipe = load_recipe(
        "digits",
        ["kubeflow.image=graft:1", "kubeflow.pvcs.serving=/mnt/serving", "kubeflow.retries=2"],
    )
    parameters = exposed_settings(recipe, "digits", "/mnt/serving/digits")
    text = post_process(json.loads(compiled_json), recipe.kubeflow, parameters, "")
    parse_package(text)  # before anybody edits it nothing is wrong
    return list(yaml.load_all(text, yaml.CSafeLoader))


@pytest.fixture
def documents(processed):
    return copy.deepcopy(processed)


def edited(documents, number, path, value):
    block = documents[number - 1]
    *blocks, last = path
    for key in blocks:
        block = block[key]
    if value is GONE:
        del block[last]
    else:
        block[last] = value
    return written(documents)


def written(documents, **options):
    return yaml.dump_all(documents, Dumper=yaml.CSafeDumper, **options)


@pytest.mark.parametrize(
    ("number", "path", "value", "says"),
    [
        (1, ("stages",), 1, "document 1 (PipelineSpec): top level: unknown field stages; there "),
        (
            1,
            (*TASKS, "Trainer", "cachingOption"),
            {},
            "root.dag.tasks[Trainer]: unknown field cachingOption; there are taskInfo, inputs",
        ),
        (
            1,
            (*TASKS, "Trainer", "cachingOptions", "enableCache"),
            "yes",
            "root.dag.tasks[Trainer].cachingOptions.enableCache: Expected true or false",
        ),
        (
            1,
            (*TASKS, "Trainer", "retryPolicy", "maxRetryCount"),
            "often",
            "retryPolicy.maxRetryCount: ",
        ),
        (
            1,
            (*TASKS, "Trainer", "retryPolicy", "backoffMaxDuration"),
            GONE,
            "Trainer.retryPolicy.backoffMaxDuration is missing or 0: backends from 2.14 on would",
        ),
        (
            1,
            (*TASKS, "Trainer", "retryPolicy", "backoffMaxDuration"),
            "0s",
            "Trainer.retryPolicy.backoffMaxDuration is missing or 0",
        ),
        (1, ("root",), 3, "root: a block is expected here"),
        (1, ("schemaVersion",), 2.1, "schemaVersion: a text is expected here"),
        (1, ("schemaVersion",), "2.0.0", "schema version 2.1.0 only, the package has 2.0.0"),
        (1, ("pipelineInfo",), {}, "pipelineInfo.name is missing"),
        (1, ("pipelineSpec",), {}, "this is a PipelineJob; a backend takes what is under its"),
        (
            1,
            (*TRAINER, "imagePullPolicy"),
            "Always",
            "deploymentSpec.executors[Trainer_executor].container: unknown field imagePullPolicy",
        ),
        (1, (*TRAINER, "image"), GONE, "Trainer_executor.container.image is missing"),
        (
            1,
            (*TRAINER, "resources", "resourceMemoryLimit"),
            "2Gii",
            "deploymentSpec.executors.Trainer_executor.container.resources.resourceMemoryLimit: "
            "not an amount of memory: 2Gii",
        ),
        (1, (*TRAINER, "resources", "memoryLimits"), "2Gi", "resources.memoryLimits: unknown"),
        (1, (*TRAINER, "resources", "resourceCpuLimit"), 2, "resourceCpuLimit: input should be a"),
        (1, TRAINER[:-1], {"resolver": {}}, "task Trainer: resolver executors are not implemented"),
        (1, TRAINER[:-1], {"importer": {}}, "task Trainer: importer executors are not implemented"),
        (
            1,
            (*TASKS, "Trainer", "componentRef", "name"),
            "Trianer",
            "root.dag.tasks.Trainer.componentRef.name: there is no Trianer; there are Baseline",
        ),
        (
            1,
            ("components", "Trainer", "executorLabel"),
            "Foo",
            "components.Trainer.executorLabel: there is no Foo",
        ),
        (
            1,
            (*TASKS, "Trainer", "dependentTasks"),
            ["Foo"],
            "root.dag.tasks.Trainer.dependentTasks: there is no Foo",
        ),
        (
            1,
            (*TASKS, "Pusher", "dependentTasks"),
            ["BaselineFinder"],
            "root.dag.tasks.Pusher.dependentTasks: Trainer is missing, of which it takes model",
        ),
        (
            1,
            (*TASKS, "Pusher", "inputs", "artifacts", "model", "taskOutputArtifact"),
            {"producerTask": "Trainer", "outputArtifactKey": "modle"},
            "taskOutputArtifact.outputArtifactKey: there is no modle; there are model",
        ),
        (
            1,
            (*TASKS, "Trainer", "inputs", "parameters", "files_fingerprint", "taskOutputParameter"),
            {"producerTask": "Probe", "outputParameterKey": "fingerprint"},
            "files_fingerprint.taskOutputParameter.outputParameterKey: there is no fingerprint; ",
        ),
        (
            1,
            (*TASKS, "Trainer", "dependentTasks"),
            ["ImageExampleGen"],
            "Trainer.dependentTasks: Probe is missing, of which it takes files_fingerprint: a back",
        ),
        (
            1,
            (*TASKS, "ImageExampleGen", "dependentTasks"),
            ["Probe", "Trainer"],
            "ImageExampleGen needs Trainer needs ImageExampleGen",
        ),
        (
            1,
            (*FORM, "frozen_epochs", "parameterType"),
            "BOOLEAN",
            "root.inputDefinitions.parameters.frozen_epochs.parameterType: BOOLEAN does not reach",
        ),
        (
            1,
            (*FORM, "frozen_epochs", "defaultValue"),
            "many",
            "frozen_epochs.defaultValue: 'many' is no NUMBER_INTEGER",
        ),
        (1, (*FORM, "frozen_epochs", "defaultValue"), True, "True is no NUMBER_INTEGER"),
        (1, (*FORM, "frozen_epochs", "defaultValue"), False, "False is no NUMBER_INTEGER"),
        (1, (*FORM, "frozen_epochs", "defaultValue"), "", "'' is no NUMBER_INTEGER"),
        (1, (*FORM, "data_source", "defaultValue"), 0, "0 is no STRING"),
        (
            1,
            (*FORM, "data_source"),
            GONE,
            "inputs.parameters.source.componentInputParameter: there is no data_source; there are",
        ),
        (
            2,
            (*KUBERNETES, "pvcMounts"),
            [],
            "document 2 (PlatformSpec): platforms.kubernetes.deploymentSpec.executors."
            "Trainer_executor.pvcMounts: unknown key",
        ),
        (
            2,
            (*KUBERNETES, "pvcMount", 0, "mountPath"),
            "/s3/data",
            "Trainer_executor.pvcMount.0.mountPath: /s3/data is where Kubeflow Pipelines",
        ),
        (2, (*KUBERNETES, "pvcMount", 0, "path"), "/x", "pvcMount.0.path: unknown key"),
        (
            2,
            (*KUBERNETES, "activeDeadlineSeconds"),
            "6h",
            "Trainer_executor.activeDeadlineSeconds: input should be a valid integer",
        ),
        (2, (*KUBERNETES[:-1], "Foo"), {}, "no step has the executor Foo, for which document 2"),
        (
            2,
            (*KUBERNETES, "enabledSharedMemory"),
            {"volumeName": "shm", "size": "2Gi"},
            "Trainer_executor.enabledSharedMemory: unknown key",
        ),
        (2, ("platform",), {}, "document 2 (PlatformSpec): platform: unknown key"),
    ],
)
def test_a_package_edited_by_hand(documents, number, path, value, says):
    with pytest.raises(ValueError) as error:
        parse_package(edited(documents, number, path, value))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_what_only_others_write_is_taken_as_it_is(documents):
    text = edited(documents, 2, (*KUBERNETES, "podMetadata"), {"labels": {"team": "vision"}})
    trainer = next(step for step in parse_package(text).steps if step.name == "Trainer")
    assert trainer.platform["podMetadata"] == {"labels": {"team": "vision"}}


def test_a_step_with_an_underscore(documents):
    tasks = documents[0]["root"]["dag"]["tasks"]
    tasks["latest_blessed"] = tasks.pop("BaselineFinder")
    with pytest.raises(ValueError, match="task latest_blessed: Argo takes letters, digits and `-`"):
        parse_package(written(documents))


def test_steps_are_told_in_an_order_in_which_they_can_run(documents):
    package = parse_package(written(documents))
    names = [step.name for step in package.steps]
    assert names.index("ImageExampleGen") < names.index("Trainer") < names.index("Pusher")
    trainer = package.steps[names.index("Trainer")]
    assert trainer.dependencies == ("ImageExampleGen", "Probe")
    assert trainer.cached and trainer.retries == 2 and trainer.gpu == ""
    assert trainer.command == ("python", "-m", "pipeline.kubeflow.step.entrypoint")
    assert trainer.platform["pvcMount"][0]["mountPath"] == "/mnt/serving"
    container = documents[0]
    for key in TRAINER:
        container = container[key]
    assert trainer.resources == container["resources"] and "resourceCpuLimit" in trainer.resources


def test_a_last_line_that_only_ends_a_document_is_no_document_more(documents):
    assert parse_package(f"{written(documents)}---\n") == parse_package(written(documents))


def test_a_package_without_a_second_document(documents):
    package = parse_package(written(documents[:1]))
    assert package.platform == {} and package.steps[0].platform == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a package has one or two YAML documents, not 0"),
        ("---\n", "a package has one or two YAML documents, not 0"),
        ("a: 1\n---\nb: 1\n---\nc: 1\n", "a package has one or two YAML documents, not 3"),
        ("a: [\n", "not YAML: expected the node content"),
        ("- 1\n", "document 1: a mapping is expected"),
        ("root: {}\nroot: {}\n", "the key root is there twice, in lines 1 and 2"),
        ("!!python/object/apply:os.system ['true']\n", "not YAML: could not determine a constr"),
        ("{}\n", "pipelineInfo.name is missing"),
    ],
)
def test_what_is_no_package(text, says):
    with pytest.raises(ValueError) as error:
        parse_package(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_the_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"there is no package .*x\.yaml; `graft compile` makes"):
        load_package(tmp_path / "x.yaml")
    path = tmp_path / "broken.yaml"
    path.write_text("a: [")
    with pytest.raises(ValueError, match=r"broken\.yaml: not YAML"):
        load_package(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"broken\.yaml cannot be read"):
        load_package(path)


def test_the_order_of_the_steps_is_not_that_in_which_they_are_written(documents):
    before = parse_package(written(documents)).steps
    tasks = documents[0]["root"]["dag"]["tasks"]
    for task in tasks.values():
        task.get("dependentTasks", []).reverse()
    documents[0]["root"]["dag"]["tasks"] = dict(reversed(tasks.items()))
    text = written(documents, sort_keys=False)
    assert parse_package(text).steps == before


def test_a_whole_number_is_a_number(documents):
    form = documents[0]["root"]["inputDefinitions"]["parameters"]
    form["rate"] = {"parameterType": "NUMBER_DOUBLE", "defaultValue": 1}
    parameters = {p.name: p for p in parse_package(written(documents)).parameters}
    assert (parameters["rate"].type, parameters["rate"].default) == ("NUMBER_DOUBLE", 1)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.yaml", "x: 1\npipelineInfo: {name: a}\n", True),
        ("a.yml", "schemaVersion: 2.1.0\n", True),
        ("a.yaml", "name: fruit\nkubeflow: {image: a}\n", False),
        ("a.txt", "name: fruit\n", False),
    ],
)
def test_a_package_is_told_from_a_recipe(name, text, found, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    assert is_package(path) is found
    path.write_bytes(b"\xff\xfe")
    assert not is_package(path) and not is_package(tmp_path) and not is_package(path / "x")


def test_a_variable_without_a_value_is_empty(documents):
    container = documents[0]["deploymentSpec"]["executors"]["Trainer_executor"]["container"]
    container["env"] = [{"name": "A"}, {"name": "B", "value": "b"}]
    steps = {step.name: step for step in parse_package(written(documents)).steps}
    assert steps["Trainer"].env == {"A": "", "B": "b"}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("deploymentSpec",), "deploymentSpec"),
        (("deploymentSpec", "executors"), "deploymentSpec.executors"),
        (("deploymentSpec", "executors", "Trainer_executor"), "Trainer_executor"),
        (TRAINER, "deploymentSpec.executors[Trainer_executor].container"),
    ],
)
@pytest.mark.parametrize("value", ["a text", ["a list"]])
def test_what_should_be_a_block_and_is_none_is_told_with_its_place(documents, path, place, value):
    with pytest.raises(UserError) as error:
        parse_package(edited(documents, 1, path, value))
    assert str(error.value).startswith("document 1 (PipelineSpec): ") and place in str(error.value)


def test_a_step_of_which_nothing_is_said_is_not_cached_and_not_retried(documents):
    task = documents[0]["root"]["dag"]["tasks"]["Trainer"]
    for key in ("cachingOptions", "retryPolicy"):
        del task[key]
    steps = {step.name: step for step in parse_package(written(documents)).steps}
    assert not steps["Trainer"].cached and steps["Trainer"].retries == 0
    assert steps["BaselineFinder"].cached and steps["ImageExampleGen"].retries == 2


def test_the_folder_for_artifacts_is_that_of_the_package(documents):
    assert parse_package(written(documents)).pipeline_root == ""
    documents[0]["defaultPipelineRoot"] = "s3://bucket/graft"
    assert parse_package(written(documents)).pipeline_root == "s3://bucket/graft"
