"""Whether a run can only repeat the one that made what is served."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from components import destinations, served_versions
from components.pusher.push import push
from pipeline import artifact_manifests, same_run
from pipeline.config import load_recipe
from pipeline.provenance import provenance

INPUTS, MACHINE = {"input_fingerprint": "pictures"}, {"code": "graft", "processor": "one"}


@pytest.fixture
def served(empty_history, tmp_path):
    """A run that pushed over another version.

    `ask` gives what the same run is to find and the version that it made, `then` what it found,
    `now` what it would find.
    """
    recipe = load_recipe("digits", [f"workspace={tmp_path}", "name=tiny"])
    destination = destinations.absolute(recipe.push_destination)
    destinations.check_writable(destination)

    def serve(content: str, recorded: str) -> Path:
        run = empty_history.run(f"2026-11-24T1{len(content)}:00:00")
        empty_history.node(run, "BaselineFinder", "baseline")
        model = empty_history.node(run, "Trainer", "model")
        (artifact,) = empty_history.store.get_artifacts_by_id([model])
        folder = Path(artifact.uri, "Format-Serving")
        folder.mkdir()
        (folder / "saved_model.pb").write_text(content)
        found = tmp_path / "found"
        found.mkdir(exist_ok=True)
        (found / "provenance.json").write_text(recorded)
        state = served_versions.served_state(destination)
        version = push(folder, Path(destination), state, [found])
        told = {"pushed_version": version.name, "pushed_destination": str(version)}
        empty_history.node(run, "Pusher", "pushed_model", **told)
        return Path(artifact.uri)

    def ask(*overrides, inputs=INPUTS, machine=MACHINE):
        changed = load_recipe("digits", [f"workspace={tmp_path}", "name=tiny", *overrides])
        return same_run.compared_fingerprint(changed, inputs, machine, destination)

    serve("one", "{}")
    then = destinations.fingerprint(destination)
    made_of = {**INPUTS, same_run.SERVED_FINGERPRINT: then}
    trained = serve("another", provenance(recipe, made_of, MACHINE))
    return SimpleNamespace(
        ask=ask,
        then=then,
        now=destinations.fingerprint(destination),
        folder=recipe.folder.absolute(),
        destination=Path(destination),
        trained=trained,
    )


def test_the_same_run_finds_what_it_found_then(served):
    assert served.then != served.now
    assert served.ask() == (served.then, "2")


def test_a_version_without_evidence_is_compared_with(served):
    shutil.rmtree(served.destination / "2")
    assert destinations.served_digest(served.destination)[0] == "1"
    assert served.ask() == (destinations.fingerprint(served.destination), "")


def test_where_nothing_is_served_nothing_is_found(served):
    shutil.rmtree(served.destination)
    assert served.ask() == (destinations.fingerprint(served.destination), "")


def test_a_repository_that_goes_on_is_nothing_new(served):
    """Only the code that runs counts, not what is committed beside it."""
    recorded = served_versions.evidence_folder(served.destination, "2") / "provenance.json"
    facts = json.loads(recorded.read_text())
    recorded.write_text(json.dumps({**facts, "git": {"revision": "later", "dirty": True}}))
    assert served.ask() == (served.then, "2")


@pytest.mark.parametrize(
    "changed",
    [
        {"inputs": {"input_fingerprint": "others"}},
        {"inputs": {**INPUTS, "weights_fingerprint": "w"}},
        {"inputs": {}},
        {"machine": {**MACHINE, "code": "of tomorrow"}},
        {"machine": {**MACHINE, "processor": "two"}},
    ],
)
def test_a_run_on_something_else_compares_with_what_is_served(served, changed):
    assert served.ask(**changed) == (served.now, "")


@pytest.mark.parametrize("override", ["training.batch_size=8", "push.allow_taken_back=true"])
def test_another_recipe_compares_with_what_is_served(served, override):
    assert served.ask(override) == (served.now, "")


def test_what_only_the_push_left_is_not_needed(served):
    """`graft runs prune --keep 1` removes it after the next run, which has one of its own."""
    (*_, pushed) = sorted((served.folder / "artifacts" / "Pusher").glob("*/*"))
    shutil.rmtree(pushed)
    assert served.ask() == (served.then, "2")


def spoil_artifact(served):
    (served.trained / "data").unlink()


def forget_artifact(served):
    artifact_manifests.forget(served.folder, str(served.trained))


def lose_baseline(served):
    (*_, found) = sorted((served.folder / "artifacts" / "BaselineFinder").glob("*/*"))
    shutil.rmtree(found)


def train_another(served):
    (served.trained / "Format-Serving" / "saved_model.pb").write_text("a third")


def replace_served(served):
    (served.destination / "2" / "saved_model.pb").write_text("a third")


def damage_evidence(served):
    evidence = served_versions.evidence_folder(served.destination, "2")
    (evidence / "provenance.json").write_text("{")


def lose_database(served):
    (served.folder / "metadata.sqlite").unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_artifact,
        forget_artifact,
        lose_baseline,
        train_another,
        replace_served,
        damage_evidence,
        lose_database,
    ],
)
def test_what_is_not_all_there_is_compared_anew(served, spoil):
    spoil(served)
    assert served.ask() == (destinations.fingerprint(served.destination), "")


def test_another_destination_with_the_same_model_has_a_run_of_its_own(served, tmp_path):
    """Its BaselineFinder may have left nothing that the cache could give."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(served.destination, elsewhere)
    recipe = load_recipe("digits", [f"workspace={tmp_path}", "name=tiny"])
    found = same_run.compared_fingerprint(recipe, INPUTS, MACHINE, str(elsewhere))
    assert found == (destinations.fingerprint(elsewhere), "") == (served.now, "")
