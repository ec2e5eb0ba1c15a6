"""`graft compile`: the whole recipe through TFX's compiler, and the command."""

import importlib
import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from components.errors import UserError
from components.trainer.settings.trainer import TrainerSettings
from pipeline import node_ids
from pipeline.commands import compile as command
from pipeline.config import Recipe, load_recipe
from pipeline.kubeflow.compiler import compile_package as compiler
from pipeline.kubeflow.package import backend_rules
from pipeline.kubeflow.package.documents import parse_package
from pipeline.kubeflow.step.run_parameters import apply_run_parameters

REPOSITORY = Path(__file__).parents[4]
READY = (
    "kubeflow.image=registry.example.com/graft:1",
    "kubeflow.pvcs.serving=/mnt/serving",
    "kubeflow.push_destination=/mnt/serving/digits",
)
MODELS = "/mnt/serving/digits"
STEPS = set(node_ids.STEPS)
UNCACHED = {"Probe", "ServingGate", "Pusher", "Report", "Verdict"}


@pytest.fixture(scope="module")
def text():
    overrides = [*READY, "kubeflow.steps.Trainer.gpu=1", "kubeflow.gpu_image=graft:1-gpu"]
    return compiler.compile_package(load_recipe("digits", overrides))


@pytest.fixture(scope="module")
def package(text):
    return parse_package(text)


def test_every_node_is_a_step_with_our_entrypoint(package):
    assert package.name == "digits"
    assert {step.name for step in package.steps} == STEPS
    tasks = package.spec["root"]["dag"]["tasks"]
    assert {name: task["taskInfo"]["name"] for name, task in tasks.items()} == {
        name: name for name in STEPS
    }, "as the pages show them"
    for step in package.steps:
        if step.name in ("Probe", "DataVerdict", "Verdict"):
            module = step.name.removeprefix("Data").lower()
            assert step.command == ("python", "-m", f"pipeline.kubeflow.step.{module}")
            assert step.args == ("--executor_input", "{{$}}")
            continue
        assert step.command == ("python", "-m", "pipeline.kubeflow.step.entrypoint")
        assert step.args[0] == "--executor_class_path"
        assert step.args[2:5:2] == (
            "--json_serialized_invocation_args",
            "--json_serialized_inputs_spec_args",
        )
        assert step.args[3] == "{{$}}"
        module, _, name = step.args[1].rpartition(".")
        assert hasattr(importlib.import_module(module), name)


def test_every_step_is_over_before_the_pusher_acts(package):
    """Steps run side by side in a cluster: a run that fails must not have pushed before."""
    needs = {step.name: set(step.dependencies) for step in package.steps}
    before, new = set(), {"Pusher"}
    while new:
        new = set().union(*(needs[step] for step in new)) - before
        before |= new
    assert before == STEPS - {"Pusher", "Report", "Verdict"}


def test_the_trainer_waits_for_what_ends_the_run_after_a_no_of_the_data_gate(package):
    tasks, components = package.spec["root"]["dag"]["tasks"], package.spec["components"]
    gives = components["DataGate"]["outputDefinitions"]["parameters"]
    takes = components["DataVerdict"]["inputDefinitions"]["parameters"]
    assert gives["blessed"] == takes["blessed"] == {"parameterType": "STRING"}
    assert tasks["DataVerdict"]["inputs"]["parameters"] == {
        "blessed": {
            "taskOutputParameter": {"producerTask": "DataGate", "outputParameterKey": "blessed"}
        }
    }
    assert {"DataGate", "DataVerdict"} < set(tasks["Trainer"]["dependentTasks"])
    inputs = tasks["Trainer"]["inputs"]
    sources = (*inputs["artifacts"].values(), *inputs["parameters"].values())
    producers = {
        source[kind]["producerTask"]
        for source in sources
        for kind in ("taskOutputArtifact", "taskOutputParameter")
        if kind in source
    }
    assert producers == {"ImageExampleGen", "Transform", "Probe"}, "what is its cache key"


@pytest.mark.parametrize("step", ["Pusher", "Report"])
def test_the_record_says_what_the_run_chose(package, step):
    chosen = {"data_source": "/mnt/serving/p", "frozen_epochs": 3.0}
    values = backend_rules.run_parameter_values(package.spec, chosen)
    sources = package.spec["root"]["dag"]["tasks"][step]["inputs"]["parameters"]
    handed = {
        name: values[source["componentInputParameter"]]
        if "componentInputParameter" in source
        else source.get("runtimeValue", {}).get("constant", "{}")
        for name, source in sources.items()
    }
    properties = apply_run_parameters(handed)
    assert not [name for name in properties if name.startswith("run_") or "machine" in name]
    record = json.loads(properties["provenance"])["recipe"]
    recipe = Recipe.model_validate(record)
    assert (recipe.data.source, recipe.push.destination) == ("/mnt/serving/p", MODELS)
    assert record["training"]["frozen"]["epochs"] == 3
    assert recipe.training.unfrozen.epochs == 12, "as the recipe has it"


def test_a_phase_of_a_list_is_where_the_record_has_it():
    phases = [{"name": "head", "epochs": 1}, {"name": "all", "epochs": 3, "fine_tune_at": "all"}]
    recipe = Recipe(name="two", training={"phases": phases})
    exposed = {p.name: p for p in compiler.parameters.exposed_settings(recipe, "digits", MODELS)}
    assert exposed["all_epochs"].recipe_path == ["training", "phases", 1, "epochs"]
    assert recipe.model_dump(mode="json")["training"]["phases"][1]["epochs"] == 3


def test_the_pusher_records_what_the_trainer_was_made_with(package):
    tasks, components = package.spec["root"]["dag"]["tasks"], package.spec["components"]
    assert tasks["Pusher"]["inputs"]["parameters"]["machine"] == {
        "taskOutputParameter": {"producerTask": "Trainer", "outputParameterKey": "machine"}
    }
    assert components["Trainer"]["outputDefinitions"]["parameters"] == {
        "machine": {"parameterType": "STRING"}
    }


def test_the_report_follows_the_pusher_whatever_it_did_and_the_verdict_is_last(package):
    needs = {step.name: set(step.dependencies) for step in package.steps}
    assert "Pusher" in needs["Report"] and needs["Verdict"] == {"Pusher", "Report"}
    tasks, components = package.spec["root"]["dag"]["tasks"], package.spec["components"]
    producers = {
        source["taskOutputArtifact"]["producerTask"]
        for source in tasks["Report"]["inputs"]["artifacts"].values()
    }
    assert producers == {"DataGate", "Trainer", "Evaluator", "ServingGate", "Pusher"}
    outputs = components["Report"]["outputDefinitions"]["artifacts"]
    types = {key: output["artifactType"] for key, output in outputs.items()}
    assert types.pop("report"), "Report's own, which TFX has compiled"
    assert types == {
        key: {"schemaTitle": f"system.{title}", "schemaVersion": "0.0.1"}
        for key, title in (
            ("page", "HTML"),
            ("metrics", "Metrics"),
            ("class_metrics", "Metrics"),
            ("classification", "ClassificationMetrics"),
        )
    }
    assert tasks["Verdict"]["inputs"]["parameters"]["pushed"] == {
        "taskOutputParameter": {"producerTask": "Pusher", "outputParameterKey": "pushed"}
    }
    assert importlib.import_module("pipeline.report.step").make_report


def test_only_the_trainer_has_a_gpu(package):
    assert [step.name for step in package.steps if step.gpu] == ["Trainer"]
    assert [step.name for step in package.steps if step.image == "graft:1-gpu"] == ["Trainer"]


def test_every_parameter_of_a_run_has_a_default(package):
    assert {p.name: p.default for p in package.parameters} == {
        "data_source": "digits",
        "push_destination": "/mnt/serving/digits",
        "frozen_epochs": 8,
        "unfrozen_epochs": 12,
    }


def test_only_what_looks_outside_or_acts_there_is_not_cached(package):
    assert {step.name for step in package.steps if not step.cached} == UNCACHED


def test_only_the_sources_of_the_cache_are_below_the_probe(package):
    """What needs it for another reason would run with every change outside."""
    below = {step.name for step in package.steps if "Probe" in step.dependencies}
    assert below == {"ImageExampleGen", "BaselineFinder", "Trainer", "Pusher"}
    waits = [package.spec["root"]["dag"]["tasks"][step]["dependentTasks"] for step in below]
    assert waits == [sorted(wait) for wait in waits], "in one order, in whatever process"


def test_nothing_of_this_machine_is_in_it(text):
    for folder in (Path.cwd(), Path(compiler.__file__).parents[2], sys.prefix):
        assert str(folder) not in text
    for word in (os.environ.get("HOSTNAME"), os.environ.get("HOME"), "/tmp", "/home"):
        assert not word or word == "/" or f"{word}/" not in text


def test_the_settings_are_those_of_the_recipe(package):
    trainer = package.spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]
    config = json.loads(trainer["custom_config"]["runtimeValue"]["constant"])
    settings = TrainerSettings.model_validate_json(config["settings"])
    assert settings == load_recipe("digits").trainer
    places = json.loads(trainer["setting_paths"]["runtimeValue"]["constant"])
    assert places["frozen_epochs"] == ["training", "frozen", "epochs"]


def test_the_schema_takes_any_class(package):
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    importer = package.spec["root"]["dag"]["tasks"]["ImportSchemaGen"]["inputs"]["parameters"]
    text = importer["schema_text"]["runtimeValue"]["constant"]
    schema = text_format.Parse(text, schema_pb2.Schema())
    assert [domain.name for domain in schema.string_domain] == ["splits", "formats"]
    assert {feature.name: feature.domain for feature in schema.feature}["label"] == ""


def test_the_source_of_this_machine_stays_here():
    overrides = [*READY, "data.source=/home/me/pictures", "kubeflow.data_source=/mnt/pictures"]
    text = compiler.compile_package(load_recipe("digits", overrides))
    assert "/home/me" not in text and "/mnt/pictures" in text


class StopError(Exception):
    """Ends the compiler where a test has seen enough."""


@pytest.fixture
def handed(monkeypatch):
    """`handed(*overrides)`: the recipe and the options of which a pipeline would be made."""

    def stop(recipe, **options):
        raise StopError(recipe, options)

    def handed(*overrides, name="digits"):
        monkeypatch.setattr(compiler, "create_pipeline", stop)
        with pytest.raises(StopError) as stopped:
            compiler.compile_package(load_recipe(name, [*READY, *overrides]))
        return stopped.value.args

    return handed


def test_the_pipeline_is_that_of_the_cluster(handed):
    recipe, options = handed("data.source=/home/me", "kubeflow.data_source=/mnt/serving/p")
    assert (recipe.name, recipe.data.source) == ("digits", "/mnt/serving/p")
    assert options["push_destination"] == "/mnt/serving/digits"
    assert options["pipeline_root"] == options["schema_file"] == "", "each run has its own"
    assert options["beam_pipeline_args"] == recipe.beam.pipeline_args()
    assert options["image_beam_args"] == ()


def test_what_is_installed_here_is_neither_on_record_nor_in_a_cache_key(handed):
    _, options = handed()
    assert json.loads(options["provenance"]).keys() == {"recipe", "inputs", "git"}
    assert options["libraries"] == {}


def test_a_name_with_underscores(handed):
    recipe, options = handed("kubeflow.data_source=/mnt/pictures", name="cats_and_dogs")
    assert recipe.name == "cats-and-dogs", "as every name of a pipeline in a cluster"
    recorded = json.loads(options["provenance"])["recipe"]
    assert recorded["name"] == "cats_and_dogs", "which commands on the page go by"
    assert recorded["data"]["source"] == "/mnt/pictures"
    assert compiler.pipeline_name(Recipe(name="dogs_")) == "dogs", "a name ends in no dash"


def test_only_pictures_are_read_by_the_workers_of_dask(handed):
    recipe, options = handed(
        "beam.runner=dask",
        "beam.dask.scheduler=tcp://dask:8786",
        "beam.dask.shared_folder=/mnt/serving/shared",
    )
    assert options["image_beam_args"] == recipe.beam.pipeline_args()
    assert options["beam_pipeline_args"] == recipe.beam.pipeline_args("StatisticsGen")
    assert any("dask" in option for option in options["image_beam_args"])
    assert not any("dask" in option for option in options["beam_pipeline_args"])


def test_a_password_is_told():
    proxy = "{HTTPS_PROXY: 'http://me:ge@heim@host.example.com:3128'}"
    recipe = load_recipe("digits", [*READY, f"kubeflow.env={proxy}"])
    with pytest.raises(ValueError, match=r"a password, in the URL http://…@host\.example\.com"):
        compiler.compile_package(recipe)


def test_the_command_writes_the_package_and_shows_what_is_in_it(text, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compiler, "compile_package", lambda _: text)
    command.compile_recipe("digits", list(READY), None, verbose=False)
    written = tmp_path / "digits.package.yaml"
    assert written.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [written]
    shown, errors = capfd.readouterr()
    assert "1 nvidia.com/gpu" in shown and "Image of Trainer: graft:1-gpu" in shown
    assert "frozen_epochs" in shown and "digits.package.yaml: " in shown
    assert "Warning" not in errors


def test_a_package_that_a_backend_would_refuse_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "compile_package", lambda _: "a: 1")
    output = tmp_path / "digits.package.yaml"
    with pytest.raises(UserError, match="unknown field a"):
        command.compile_recipe("digits", list(READY), output, verbose=False)
    assert not output.exists()


def test_standard_output_holds_nothing_but_the_package(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    overrides = [*READY, "kubeflow.image=registry.example.com/graft:latest"]
    command.compile_recipe("digits", overrides, command.STDOUT, verbose=False)
    shown, errors = capfd.readouterr()
    assert {step.name for step in parse_package(shown).steps} == STEPS
    assert "StatisticsGen" in errors
    assert "Warning: kubeflow.image: registry.example.com/graft:latest may be" in errors
    assert list(tmp_path.iterdir()) == []


def test_files_that_must_not_be_written(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("name: mine")
    for output, says in (
        (recipe, "that is the recipe"),
        (tmp_path / "package.json", "a package is a file that ends in .yaml"),
        (tmp_path / "nowhere" / "package.yaml", "there is no folder"),
    ):
        with pytest.raises(ValueError, match=says):
            command.check_output(output, str(recipe))
    for name in ("package.yaml", "package.yml"):
        command.check_output(tmp_path / name, str(recipe))


@pytest.mark.slow
def test_the_same_recipe_gives_the_same_bytes_in_every_process(tmp_path, forked, monkeypatch):
    options = [option for override in READY for option in ("--set", override)]
    program = "import pipeline.cli; print(hash('graft')); pipeline.cli.main()"
    # In folders of no repository, whose revision is noted.
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    words = ["-c", program, "compile", "digits", "-o", "-", *options]
    seed, _, there = forked.run(words, tmp_path / "one").stdout.partition("\n")
    assert int(seed) != hash("graft"), "both hash alike"
    monkeypatch.chdir(tmp_path / "other")
    assert compiler.compile_package(load_recipe("digits", READY)) == there
    assert len(list(yaml.safe_load_all(there))) == 2
