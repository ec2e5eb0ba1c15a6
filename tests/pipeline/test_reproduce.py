"""`graft reproduce`, with a training that only writes weights."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from components.errors import UserError
from components.pusher.push import push
from components.served_versions import served_state
from pipeline import local_runner
from pipeline.commands import reproduce as command
from pipeline.config import load_recipe
from pipeline.provenance import provenance, this_machine


def table(folder, label="bar"):
    folder.mkdir(parents=True, exist_ok=True)
    row = {"image_id": "a", "path": "a.jpg", "group": "a", "label": label, "split": "train"}
    pd.DataFrame([row]).to_parquet(folder / "pictures.parquet")


@pytest.fixture
def config(tmp_path, write_pictures) -> str:
    """The path of a recipe that serves version 1."""
    pictures = write_pictures(tmp_path / "pictures", per_class=4)
    path = tmp_path / "tiny.yaml"
    path.write_text(
        f"name: tiny\nworkspace: {tmp_path / 'runs'}\ndata: {{source: {pictures}}}\n"
        "backbone: {weights: glyphs, alpha: 0.35, image_size: 32}\n"
    )
    model, found = tmp_path / "model", tmp_path / "found"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_text("graph")
    (model / "variables" / "variables.data-00000-of-00001").write_text("weights")
    table(found)
    recipe = load_recipe(str(path), ["seed=3"])
    inputs = {"weights_fingerprint": "", "teacher_fingerprint": ""}
    (found / "provenance.json").write_text(provenance(recipe, inputs, this_machine()))
    recipe.push_destination.mkdir(parents=True)
    push(model, recipe.push_destination, served_state(recipe.push_destination), [found])
    return str(path)


@pytest.fixture
def train(tmp_path, monkeypatch, capfd):
    """`train(config, weights, label)` reproduces version 1; gives exit code, words and recipe."""

    def train(config, weights="weights", label="bar"):
        trained = []

        def run_up_to(node_id, recipe, listener, found):
            trained.append(recipe)
            if weights is None:
                return {}
            folder = tmp_path / "again" / "Format-Serving" / "variables"
            folder.mkdir(parents=True)
            (folder / "variables.data-00000-of-00001").write_text(weights)
            table(tmp_path / "examples", label)
            uris = {"model": tmp_path / "again", "examples": tmp_path / "examples"}
            made = {key: [SimpleNamespace(uri=str(uri))] for key, uri in uris.items()}
            return {"Trainer": made, "ImageExampleGen": made}

        monkeypatch.setattr(local_runner, "run_up_to", run_up_to)
        code = command.reproduce(config, [], "1", verbose=False, wait=False)
        return code, capfd.readouterr().out.splitlines()[-1], trained[0]

    return train


def test_equal_weights_are_a_proof(config, train, tmp_path):
    code, said, recipe = train(config)
    assert (code, said) == (0, "The weights of version 1 are reproduced, equal to the byte")
    assert recipe.seed == 3, "the recipe is that of then"
    assert recipe.folder == tmp_path / "runs" / "tiny" / "reproduce" / "1" / "tiny"
    assert recipe.push_destination.is_relative_to(recipe.folder), "what is served is not touched"


def test_what_was_signed_is_made_again_without_the_key(config, train, tmp_path):
    file = tmp_path / "runs" / "tiny" / "serving" / "evidence" / "1" / "provenance.json"
    facts = json.loads(file.read_text())
    facts["recipe"]["push"]["sign"] = {"key": "elsewhere.pem"}
    file.write_text(json.dumps(facts))
    code, _, recipe = train(config)
    assert code == 0 and recipe.push.sign is None


def test_where_it_was_pushed_to_is_neither_compared_with_nor_changed(config, train, tmp_path):
    file = tmp_path / "runs" / "tiny" / "serving" / "evidence" / "1" / "provenance.json"
    facts = json.loads(file.read_text())
    facts["recipe"]["push"]["destination"] = str(tmp_path / "served")
    file.write_text(json.dumps(facts))
    code, _, recipe = train(config)
    assert code == 0 and recipe.push_destination.is_relative_to(recipe.folder)


def test_what_a_rehearsal_pushed_is_made_again_wherever_that_kept_its_claims(config, train):
    file = load_recipe(config, []).push_destination / "evidence" / "1" / "provenance.json"
    facts = json.loads(file.read_text())
    facts["recipe"]["kubeflow"]["pvcs"] = {"graft-models": "/tmp/rehearsal/pvc/graft-models"}
    file.write_text(json.dumps(facts))
    assert train(config)[0] == 0


def test_of_other_weights_it_is_said_what_else_is_other(config, train, tmp_path):
    file = tmp_path / "runs" / "tiny" / "serving" / "evidence" / "1" / "provenance.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps(facts | {"code": "0" * 64, "processor": "an abacus"}))
    code, said, _ = train(config, "WEIGHTS", label="disc")
    assert code == 1
    assert said == (
        "The weights of version 1 differ; other than then: pictures, labels or splits, Graft's "
        "code, the processor"
    )


def test_where_nothing_else_is_known_to_differ_that_is_said(config, train):
    code, said, _ = train(config, "WEIGHTS")
    assert (code, said) == (1, "The weights of version 1 differ; nothing else is known to")


def test_data_that_fail_their_gate_are_not_trained_on(config, train):
    assert train(config, weights=None)[0] == 1


def test_what_cannot_be_made_again(config, tmp_path):
    with pytest.raises(UserError, match=r"serving has no version 7 \(there are: 1\)"):
        command.reproduce(config, [], "7", verbose=False, wait=False)
    (tmp_path / "runs" / "tiny" / "serving" / "evidence" / "1" / "provenance.json").unlink()
    with pytest.raises(UserError, match="/1 has no record of what it was made of"):
        command.reproduce(config, [], "1", verbose=False, wait=False)


def test_a_recipe_of_then_that_is_none_today_is_told_key_by_key(config, tmp_path):
    file = tmp_path / "runs" / "tiny" / "serving" / "evidence" / "1" / "provenance.json"
    facts = json.loads(file.read_text())
    facts["recipe"]["head"]["depth"] = 3
    file.write_text(json.dumps(facts))
    says = "version 1 was made by .* does not take:\nhead.depth: unknown key"
    with pytest.raises(UserError, match=says):
        command.reproduce(config, [], "1", verbose=False, wait=False)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"libraries": "0" * 64}, "versions of libraries"),
        ({"inputs": {"weights_fingerprint": "a"}}, "the files of backbone.weights, the teacher"),
        (
            {"inputs": {"weights_fingerprint": "a", "teacher_fingerprint": ""}},
            "the files of backbone.weights",
        ),
        ({"inputs": {"weights_fingerprint": "", "teacher_fingerprint": "a"}}, "the teacher"),
    ],
)
def test_what_a_version_was_made_of_is_compared_one_by_one(
    config, train, tmp_path, monkeypatch, change, says
):
    for module in ("network.initial_weights", "targets.teacher_files"):
        monkeypatch.setattr(f"components.trainer.{module}.fingerprint", lambda _: "")
    file = tmp_path / "runs" / "tiny" / "serving" / "evidence" / "1" / "provenance.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    code, said, _ = train(config, "WEIGHTS")
    assert code == 1 and said.endswith(f"differ; other than then: {says}")


def test_a_version_of_a_release_that_did_not_note_the_processor(config, train, tmp_path):
    file = tmp_path / "runs" / "tiny" / "serving" / "evidence" / "1" / "provenance.json"
    facts = json.loads(file.read_text())
    del facts["processor"]
    file.write_text(json.dumps(facts))
    assert train(config, "WEIGHTS")[1].endswith("other than then: the processor")


def test_pictures_are_the_same_in_any_order_and_others_in_another_split(tmp_path):
    rows = [{"image_id": n, "path": n, "group": n, "label": "a", "split": "train"} for n in "ab"]
    for name, table in (
        ("one", rows), ("turned", rows[::-1]), ("moved", [rows[0], rows[1] | {"split": "test"}])
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        pd.DataFrame(table).to_parquet(tmp_path / name / "pictures.parquet")
    one, turned, moved = (command._pictures(tmp_path / name) for name in ("one", "turned", "moved"))
    assert one == turned != moved and len(one) == 2
    assert command._pictures(tmp_path / "nowhere") == []


@pytest.mark.parametrize(("verbose", "wait"), [(True, False), (False, True)])
def test_the_log_and_other_reproductions_are_heeded(config, monkeypatch, verbose, wait):
    def run_locally(recipe, title, work, *, verbose, wait):
        return title, verbose, wait

    monkeypatch.setattr(command, "run_locally", run_locally)
    told = command.reproduce(config, [], "1", verbose=verbose, wait=wait)
    assert told == ("Version 1 again", verbose, wait)
