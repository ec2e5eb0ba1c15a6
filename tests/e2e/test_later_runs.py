"""What happens when a model is served already."""

import dataclasses
import shutil
from pathlib import Path

import keras
import pytest
import yaml

from pipeline import code_digest as digest
from pipeline import pipeline, preflight, run_history
from pipeline.commands.run import run_recipe
from pipeline.local_runner import run_up_to
from tests import tiny_network


def test_the_same_run_again_only_looks_what_is_served(first, same):
    assert same.executed == {"Pusher"} and same.result.succeeded
    (notice,) = same.notices
    assert notice.startswith(
        f"Version {first.versions[0]} was made of the same: it is not compared"
    )
    assert same.result.already_served == first.versions[0] and same.versions == first.versions
    assert same.result.gates == first.result.gates
    assert same.reports["BaselineFinder"].summary == "nothing to compare with"


def test_another_run_compares_with_the_served_model_and_takes_the_rest_from_the_cache(
    first, second
):
    assert second.executed == {"BaselineFinder", "DataGate", "Evaluator", "Pusher"}
    found = second.reports["BaselineFinder"].summary
    assert found == f"to compare with: version {first.versions[0]}"
    (gate,) = [g for g in second.result.gates if g.name == "not proved worse"]
    assert gate.verdict == "pass" and gate.value == 0.0


def test_it_holds_its_data_to_those_of_the_served_model(first, second):
    rows = second.result.gates[:9]
    assert {gate.verdict for gate in rows} == {"pass"}
    assert rows[-1].message == f"the 21 pictures that version {first.versions[0]} was judged on"
    assert second.reports["DataGate"].summary == "9 of 9 checks passed"


def test_a_run_whose_data_fail_does_not_train_and_exits_with_1(recipe, second, tmp_path, capfd):
    values = recipe.model_dump(exclude_unset=True, mode="json")
    (tmp_path / "shapes.yaml").write_text(yaml.safe_dump(values))
    overrides = ["data_gate.min_per_class.test=1000", "training.batch_size=8"]
    code = run_recipe(str(tmp_path / "shapes.yaml"), overrides, verbose=False, wait=False)
    shown = capfd.readouterr().out
    assert code == 1 and "✓ DataGate" in shown and "8 of 9 checks passed" in shown
    assert "! The data failed the DataGate: nothing is trained" in shown
    assert "class counts" in shown and "Not pushed." in shown
    assert "Trainer" not in shown and "Evaluator" not in shown
    *_, report = sorted((recipe.folder / "reports").iterdir())
    assert report.name in shown.replace("\n", "")
    assert "Not served. A gate said no: class counts." in report.read_text()


def test_the_model_that_is_served_already_is_not_pushed_again(first, second):
    assert second.result.succeeded
    assert second.versions == first.versions
    assert second.result.already_served == first.versions[0]


def test_either_again_takes_all_but_the_last_look_from_the_cache(recipe, compared, run, second):
    for one in (compared, recipe):
        again = run(one)
        assert again.executed == {"Pusher"}
        assert again.result.already_served == second.versions[0]
        assert len(again.notices) == (one is recipe)


def test_pruned_to_its_last_run_a_recipe_still_has_its_cache(recipe, compared, run, second):
    folder = recipe.folder.absolute()
    before = run_history.list_runs(folder)
    assert before[0].version == before[-1].version == second.versions[0]
    count, size = run_history.prune(folder, keep=1)
    assert count and size
    assert run(recipe).executed == {"Pusher"}
    # And what only another one needed is made again, for the tests below as well.
    assert run(compared).executed == {"BaselineFinder", "DataGate", "Evaluator", "Pusher"}


def test_a_run_of_the_first_nodes_takes_them_from_the_cache_of_the_whole(recipe, recorder, second):
    found = preflight.inspect(recipe, preflight.Scope.MACHINE)
    outputs = run_up_to("Transform", recipe, recorder, found)
    assert set(outputs) == {"ImageExampleGen", "ImportSchemaGen", "Transform"}
    assert all(report.cached for report in recorder.reports.values())


def test_edited_code_runs_again_and_the_rest_does_not(recipe, run, second, tmp_path, monkeypatch):
    for package in ("components", "pipeline"):
        shutil.copytree(Path(digest.__file__).parents[1] / package, tmp_path / package)
    with (tmp_path / "components" / "serving_gate" / "contract.py").open("a") as file:
        file.write("# edited\n")
    monkeypatch.setattr(
        pipeline,
        "code_digest",
        lambda *names, **options: digest.code_digest(*names, root=tmp_path, **options),
    )
    assert run(recipe).executed == {"ServingGate", "Pusher"}


def test_an_answer_that_is_gone_is_asked_for_again(recipe, run, second):
    answers = recipe.folder.absolute().glob("artifacts/ServingGate/infra_blessing/*/gates.json")
    gates = min(answers, key=lambda file: int(file.parent.name))  # of the first run
    gates.unlink()
    again = run(recipe)
    assert again.executed == {"ServingGate", "Pusher"} and again.result.succeeded
    damaged = f"ServingGate: {gates.parent} is damaged, it is not used: gates.json is missing"
    assert again.notices == [damaged]


@pytest.fixture
def destination(recipe, second, tmp_path):
    """The folder of the served versions, which is put back as it was after the test."""
    shutil.copytree(recipe.push_destination, tmp_path / "serving")
    yield recipe.push_destination
    shutil.rmtree(recipe.push_destination)
    shutil.copytree(tmp_path / "serving", recipe.push_destination)


def test_a_version_that_was_removed_is_served_again(recipe, run, second, destination):
    shutil.rmtree(destination / second.versions[0])
    again = run(recipe)
    assert again.result.succeeded and again.result.pushed_path
    assert again.versions == ["2"], "a number is never given twice"
    assert "Trainer" not in again.executed


@pytest.fixture
def worse(recipe, monkeypatch):
    """The recipe with a training that cannot learn anything, on a fresh view in every epoch.

    For this test alone the network is a tiny one: the recipe's own is checked before other runs.
    """
    monkeypatch.setattr(keras.applications, tiny_network.CONSTRUCTOR, tiny_network.build)
    backbone = recipe.backbone.model_copy(update={"weights": "imagenet"})  # not looked at
    phase = recipe.training.frozen.model_copy(update={"epochs": 1, "learning_rate": 1e-9})
    unfrozen = recipe.training.unfrozen.model_copy(update={"epochs": 0})
    training = recipe.training.model_copy(update={"frozen": phase, "unfrozen": unfrozen})
    augmentation = recipe.augmentation.model_copy(update={"views": None})
    changed = {"backbone": backbone, "training": training, "augmentation": augmentation}
    return recipe.model_copy(update=changed)


def test_a_worse_model_is_not_pushed(worse, run, second):
    rejected = run(worse)
    gates = {gate.name: gate for gate in rejected.result.gates}
    assert gates["accuracy"].verdict == "fail" and gates["accuracy"].value < 0.8
    assert gates["not proved worse"].verdict == "fail"
    assert gates["latency"].verdict == "pass", "it serves well, it just knows nothing"
    assert not rejected.result.succeeded
    assert not rejected.result.pushed_path and not rejected.result.already_served
    assert rejected.versions == second.versions, "what is served is as it was"
    assert {"ImageExampleGen", "Transform"}.isdisjoint(rejected.executed)
    assert dataclasses.asdict(rejected.reports["Pusher"])["summary"] == "not pushed"


def test_a_run_pushes_to_a_store_and_the_next_one_finds_its_baseline_there(recipe, run, second, s3):
    stored = recipe.replaced(push={"destination": "s3://models/shapes"})
    one = run(stored)
    assert one.result.pushed_path == "s3://models/shapes/1" and one.versions == ["1"]
    assert one.reports["BaselineFinder"].summary == "nothing to compare with"
    same = run(stored)
    assert same.executed == {"Pusher"} and same.result.already_served == "1"
    again = run(stored.replaced(push=stored.push.replaced(allow_taken_back=True)))
    assert again.reports["BaselineFinder"].summary == "to compare with: version 1"
    assert again.result.already_served == "1" and again.versions == ["1"]
    (gate,) = [g for g in again.result.gates if g.name == "not proved worse"]
    assert gate.verdict == "pass"
    assert "Trainer" not in one.executed | again.executed
