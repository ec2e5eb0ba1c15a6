"""The step Probe: what changes its fingerprints, and what does not."""

import json
import os

import pytest

from components import served_versions
from components.errors import UserError
from components.example_gen.config import DataSettings
from components.example_gen.splitting.split_ledger import (
    Entry,
    ledger_inputs,
    read_ledger,
    write_ledger,
)
from components.trainer.settings.trainer import TrainerSettings
from pipeline.config import load_recipe
from pipeline.kubeflow.step import probe


@pytest.fixture
def pictures(tmp_path):
    """Two classes; a Probe never opens a picture."""
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        (tmp_path / "pictures" / name / "1.jpg").write_bytes(b"1")
    return tmp_path / "pictures"


@pytest.fixture
def parameters(pictures, tmp_path):
    return {
        "source": str(pictures),
        "settings": DataSettings().model_dump_json(),
        "unlabelled": "",
        "push_destination": str(tmp_path / "serving"),
        "trainer": load_recipe("digits").trainer.model_dump_json(),
    }


def changed(before, parameters):
    """Names of the fingerprints that are others now."""
    now = probe.fingerprints(parameters)
    assert before.keys() == now.keys() and all(now.values())
    return {name for name in now if now[name] != before[name]}


def test_nothing_changes_without_a_reason(parameters):
    assert changed(probe.fingerprints(parameters), parameters) == set()


def test_a_new_picture(parameters, pictures):
    before = probe.fingerprints(parameters)
    (pictures / "cat" / "2.jpg").write_bytes(b"2")
    assert changed(before, parameters) == {"input_fingerprint"}


def test_unlabelled_pictures(parameters, pictures, tmp_path):
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"1")
    before = probe.fingerprints(parameters)
    parameters["unlabelled"] = str(folder)
    assert changed(before, parameters) == {"input_fingerprint"}
    for other in (folder / "2.jpg", pictures / "cat" / "2.jpg"):
        before = probe.fingerprints(parameters)
        other.write_bytes(b"2")
        assert changed(before, parameters) == {"input_fingerprint"}


def test_fixes_of_labels(parameters, tmp_path):
    fixes = tmp_path / "fixes.csv"
    fixes.write_text("one")
    parameters["settings"] = DataSettings(fixes=str(fixes)).model_dump_json()
    before = probe.fingerprints(parameters)
    fixes.write_text("another")
    assert changed(before, parameters) == {"input_fingerprint"}


def test_another_served_model(parameters, tmp_path):
    before = probe.fingerprints(parameters)
    version = tmp_path / "serving" / "1"
    version.mkdir(parents=True)
    (version / served_versions.SAVED_MODEL_FILE).write_bytes(b"model")
    assert changed(before, parameters) == {"served_fingerprint"}


def test_a_ledger_that_another_run_has_changed(parameters, tmp_path):
    ledger = str(tmp_path / "splits.parquet")
    parameters["settings"] = DataSettings(split_ledger=ledger).model_dump_json()
    before = probe.fingerprints(parameters)
    entries = {"1": Entry("1", "train")}
    of_this_run = ledger_inputs(before["input_fingerprint"], parameters["settings"])
    write_ledger(ledger, read_ledger(ledger), entries, of_this_run)
    assert probe.fingerprints(parameters)["ledger_fingerprint"] == probe.NOTHING
    write_ledger(ledger, read_ledger(ledger), entries, "of another run")
    assert changed(before, parameters) == {"ledger_fingerprint"}


def test_weights_that_are_replaced(parameters, tmp_path):
    weights = tmp_path / "mine.weights.h5"
    weights.write_bytes(b"1")
    trainer = TrainerSettings.model_validate_json(parameters["trainer"])
    backbone = trainer.backbone.model_copy(update={"weights": str(weights)})
    parameters["trainer"] = trainer.model_copy(update={"backbone": backbone}).model_dump_json()
    before = probe.fingerprints(parameters)
    weights.write_bytes(b"22")
    assert changed(before, parameters) == {"files_fingerprint", "weights_fingerprint"}


def test_a_folder_in_the_place_of_a_backbone_that_is_replaced(parameters, tmp_path):
    model = tmp_path / "backbone"
    model.mkdir()
    (model / served_versions.SAVED_MODEL_FILE).write_bytes(b"1")
    trainer = TrainerSettings.model_validate_json(parameters["trainer"])
    backbone = trainer.backbone.model_copy(update={"weights": str(model)})
    trainer = trainer.model_copy(update={"backbone": backbone})
    before = probe.training_files_fingerprints(trainer)
    (model / served_versions.SAVED_MODEL_FILE).write_bytes(b"22")
    now = probe.training_files_fingerprints(trainer)
    assert before[0] and now[0] not in ("", before[0])
    assert now[1] == before[1] == "", "there is no teacher"


def test_a_teacher_that_is_replaced(parameters, saved_model, tmp_path):
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    (teacher / served_versions.SAVED_MODEL_FILE).write_bytes(b"1")
    trainer = json.loads(parameters["trainer"])
    trainer["distillation"] = {"teacher": str(teacher)}
    parameters["trainer"] = json.dumps(trainer)
    before = probe.fingerprints(parameters)
    (teacher / served_versions.SAVED_MODEL_FILE).write_bytes(b"22")
    assert changed(before, parameters) == {"files_fingerprint", "teacher_fingerprint"}
    assert before["weights_fingerprint"] == probe.NOTHING
    trainer["distillation"] = {"teacher": "/in/the/image"}
    parameters["trainer"] = json.dumps(trainer)
    assert probe.fingerprints(parameters)["teacher_fingerprint"] == probe.NOTHING


def test_what_there_is_not_is_called_nothing(parameters):
    found = probe.fingerprints(parameters)
    nothing = {name for name, value in found.items() if value == "nothing"}
    assert nothing == {
        "ledger_fingerprint",
        "weights_fingerprint",
        "teacher_fingerprint",
        "files_fingerprint",
    }
    assert probe.data_fingerprint("digits", DataSettings()) == "digits"


def test_a_picture_that_a_manifest_names(pictures):
    manifest = pictures / "labels.csv"
    manifest.write_text("path,label\ncat/1.jpg,cat\ndog/1.jpg,dog\n")
    before = probe.data_fingerprint(str(manifest), DataSettings())
    assert probe.data_fingerprint(str(manifest), DataSettings()) == before
    (pictures / "cat" / "1.jpg").write_bytes(b"another")
    assert probe.data_fingerprint(str(manifest), DataSettings()) != before


def test_weights_that_only_the_image_of_the_trainer_has(parameters):
    trainer = json.loads(parameters["trainer"])
    trainer["backbone"]["weights"] = "/in/the/image.weights.h5"
    parameters["trainer"] = json.dumps(trainer)
    assert probe.fingerprints(parameters)["files_fingerprint"] == probe.NOTHING


def test_files_that_settings_name_beside_the_source(tmp_path, monkeypatch):
    class WithFixes(DataSettings):
        overlay: str = ""

    file = tmp_path / "fixes.csv"
    file.write_text("one")
    settings = WithFixes(overlay=str(file), split_ledger=str(file))
    before = probe.named_files(settings)
    file.write_text("another")
    assert probe.named_files(settings) != before
    assert probe.named_files(WithFixes(source=str(file), split_ledger=str(file))) == ""
    assert probe.named_files(WithFixes(overlay="/in/the/image.csv")) == ""
    monkeypatch.chdir(tmp_path)
    assert probe.named_files(WithFixes(overlay="fixes.csv")) == "", "a word that is a file here"


def test_an_archive_is_not_unpacked(tmp_path):
    archive = tmp_path / "pictures.tar.gz"
    archive.write_bytes(b"whatever it is")
    before = probe.data_fingerprint(str(archive), DataSettings())
    os.utime(archive, (1, 1))
    assert probe.data_fingerprint(str(archive), DataSettings()) != before


def test_a_folder_of_records_is_not_read(tmp_path):
    records = tmp_path / "a.tfrecord"
    records.write_bytes(b"no records")
    before = probe.data_fingerprint(str(tmp_path), DataSettings())
    records.write_bytes(b"no records either")
    assert probe.data_fingerprint(str(tmp_path), DataSettings()) != before


def test_an_address_is_not_downloaded():
    address = "https://example.invalid/pictures.zip"
    one, two = (DataSettings(source=address, sha256=digit * 64) for digit in "12")
    assert probe.data_fingerprint(address, one) != probe.data_fingerprint(address, two)
    elsewhere = "https://example.invalid/others.zip"
    assert probe.data_fingerprint(elsewhere, one) != probe.data_fingerprint(address, one)
    with pytest.raises(ValueError, match="sha256"):
        probe.data_fingerprint(address, DataSettings())


def run(parameters, folder, monkeypatch):
    monkeypatch.setenv("GRAFT_LAUNCHER_ROOT", str(folder))
    (folder / "dev").mkdir(parents=True)
    (folder / "dev" / "termination-log").touch()
    given = {
        "inputs": {"parameterValues": parameters},
        "outputs": {"outputFile": "/kfp/run-1/out.json"},
    }
    return probe.main(["--executor_input", json.dumps(given)])


def test_the_command_hands_over_output_parameters(parameters, tmp_path, monkeypatch):
    assert run(parameters, tmp_path / "root", monkeypatch) == 0
    written = json.loads((tmp_path / "root" / "kfp" / "run-1" / "out.json").read_text())
    assert written == {"parameterValues": probe.fingerprints(parameters)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "/mnt/nowhere"}, "graft: data.source /mnt/nowhere does not exist: expected"),
        (
            {"mount_paths": '["/mnt/models"]', "push_destination": "/models"},
            "graft: run parameter push_destination: /models is on no volume",
        ),
    ],
)
def test_what_cannot_be_looked_at_is_one_line(
    parameters, tmp_path, monkeypatch, capfd, change, message
):
    assert run({**parameters, **change}, tmp_path / "root", monkeypatch) == 1
    said = capfd.readouterr().err
    assert said.startswith(message) and said.count("\n") == 1
    left = (tmp_path / "root" / "dev" / "termination-log").read_text()
    assert f"graft: {left}\n" == said
    assert not (tmp_path / "root" / "kfp").exists()


@pytest.mark.parametrize(
    ("error", "last", "traced"),
    [
        (UserError("one mistake\nand another"), "one mistake; and another", False),
        (RuntimeError("of our own"), "RuntimeError: of our own", True),
    ],
)
def test_the_last_line_is_the_message_whole_and_a_bug_has_its_traceback(
    parameters, tmp_path, monkeypatch, capfd, error, last, traced
):
    def fail(_):
        raise error

    monkeypatch.setattr(probe, "fingerprints", fail)
    assert run(parameters, tmp_path / "root", monkeypatch) == 1
    said = capfd.readouterr().err
    assert said.splitlines()[-1] == f"graft: {last}" and ("Traceback" in said) == traced
    assert (tmp_path / "root" / "dev" / "termination-log").read_text() == last


@pytest.mark.slow
def test_a_bucket_is_listed(serve_s3, monkeypatch):
    """What is in it may change under the same address."""
    import boto3

    serve_s3(monkeypatch)
    client = boto3.client("s3")
    client.create_bucket(Bucket="of-a-probe")
    for name in ("cat/1.jpg", "dog/1.jpg"):
        client.put_object(Bucket="of-a-probe", Key=f"pets/{name}", Body=b"1")
    source = "s3://of-a-probe/pets"
    before = probe.data_fingerprint(source, DataSettings())
    assert probe.data_fingerprint(source, DataSettings()) == before
    client.put_object(Bucket="of-a-probe", Key="pets/cat/2.jpg", Body=b"2")
    assert probe.data_fingerprint(source, DataSettings()) != before
    one, two = (DataSettings(sha256=digit * 64) for digit in "12")
    listed = probe.data_fingerprint(source, one)
    assert listed == probe.data_fingerprint(source, two), "a digest is of a file, not of a folder"


@pytest.mark.slow
def test_an_archive_in_a_bucket_is_not_downloaded(serve_s3, monkeypatch):
    import boto3

    serve_s3(monkeypatch)
    client = boto3.client("s3")
    client.create_bucket(Bucket="archives-of-a-probe")
    for name in ("pets.tar.gz", "pets.tfrecord"):
        source = f"s3://archives-of-a-probe/{name}"
        with pytest.raises(UserError, match=f"data.source {source} does not exist"):
            probe.data_fingerprint(source, DataSettings())
        client.put_object(Bucket="archives-of-a-probe", Key=name, Body=b"whatever it is")
        before = probe.data_fingerprint(source, DataSettings())
        assert probe.data_fingerprint(source, DataSettings()) == before
        client.put_object(Bucket="archives-of-a-probe", Key=name, Body=b"another")
        assert probe.data_fingerprint(source, DataSettings()) != before


def test_the_source_may_lie_in_the_home_folder(pictures, monkeypatch):
    monkeypatch.setenv("HOME", str(pictures.parent))
    archive = pictures.parent / "pictures.zip"
    archive.write_bytes(b"whatever it is")
    before = probe.data_fingerprint("~/pictures.zip", DataSettings())
    archive.write_bytes(b"another")
    assert probe.data_fingerprint("~/pictures.zip", DataSettings()) != before


@pytest.mark.parametrize("name", ["labels.csv", "of_the_tfrecords.jsonl"])
def test_a_manifest_in_a_bucket_is_looked_into_whatever_it_is_called(name, monkeypatch):
    opened = []
    monkeypatch.setattr(probe.sources, "open_source", lambda source, *_: opened.append(source))
    monkeypatch.setattr(probe.sources, "fingerprint", lambda _: "of its pictures")
    assert probe.data_fingerprint(f"s3://b/{name}", DataSettings()) == "of its pictures"
    assert opened == [f"s3://b/{name}"]


def test_size_and_time_of_an_archive_in_a_bucket_do_not_run_together(monkeypatch):
    found = set()
    for said in ((12, 3), (1, 23), (123,)):
        monkeypatch.setattr(probe.buckets, "size_and_time", lambda _, said=said: said)
        found.add(probe.data_fingerprint("s3://b/pets.zip", DataSettings()))
    assert len(found) == 3
