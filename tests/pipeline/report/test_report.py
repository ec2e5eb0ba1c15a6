"""The page of a run, of what its nodes left."""

import base64
import hashlib
import io
import json
import re
import shutil
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from components.errors import UserError
from components.evaluator.thumbnails import THUMBNAILS_FILE, make_thumbnail
from components.gates import Gate, write_gates
from pipeline.commands import report as report_command
from pipeline.config import load_recipe
from pipeline.report import page
from pipeline.report.run_files import RunFiles
from pipeline.run_history import NodeRecord, RunRecord

EVIL = "<img src=x onerror=alert(1)>\"'\x1b[31m\u202egnp"
NAN = float("nan")
PASS = Gate("accuracy", "pass", 0.9, 0.8, "0.9 of 10", (0.7, 0.99), 10)
FAIL = Gate("latency", "fail", 9.0, 1.0, "9 ms, at most 1 allowed")


class Run:
    """Writes what nodes leave, as far as a run got."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.artifacts: dict[tuple[str, str], Path] = {}
        self.nodes: list[NodeRecord] = []
        self.pictures = folder / "source"
        self.config = folder / "tiny.yaml"
        self.config.write_text(
            json.dumps(
                {
                    "name": "tiny",
                    "workspace": str(folder / "runs"),
                    "data": {"source": str(self.pictures)},
                }
            )
        )

    def artifact(self, node: str, key: str) -> Path:
        path = self.folder / "artifacts" / node / key
        path.mkdir(parents=True)
        self.artifacts[node, key] = path
        return path

    def node(self, name: str, state: str = "run") -> None:
        self.nodes.append(NodeRecord(name, state, 1.5))

    def data(self, classes=("cat", "dog")) -> None:
        self.node("ImageExampleGen")
        folder = self.artifact("ImageExampleGen", "examples")
        for place, name in enumerate(classes):
            (self.pictures / name).mkdir(parents=True)
            for number in range(2):
                path = self.pictures / name / f"{number}.jpg"
                colour = (200, 90 * number, 90 * place)
                Image.new("RGB", (200, 100), colour).save(path, exif=_turned())
        summary = {
            "classes": list(classes),
            "total": 4,
            "counts": {"train": dict.fromkeys(classes, 1), "test": dict.fromkeys(classes, 1)},
            "duplicates": {"copies": 3, "identical": 2, "contradicting": 1, "leaking": 0},
        }
        (folder / "summary.json").write_text(json.dumps(summary))
        line = {"path": f"cat/{EVIL}.jpg", "reason": f"damaged {EVIL}"}
        (folder / "quarantine.jsonl").write_text(json.dumps(line) + "\n")

    def training(self, loss: float = 0.5) -> None:
        self.node("Trainer")
        phase = {
            "name": "frozen",
            "parameters": {"trainable": 10, "total": 20, "trainable_variables": 2},
            "history": {
                key: [loss, loss] for key in ("loss", "accuracy", "val_loss", "val_accuracy")
            },
            "best_epoch": 1,
            "seconds": 3.0,
        }
        report = {"phases": [phase], "kept": "frozen", "pseudo_labels": None}
        (self.artifact("Trainer", "model_run") / "training.json").write_text(json.dumps(report))

    def evaluation(self, classes=("cat", "dog"), scores=None, served=None) -> None:
        """Three pictures: two of the first class, one of the second."""
        self.node("Evaluator")
        folder = self.artifact("Evaluator", "evaluation")
        paths = [f"{classes[0]}/0.jpg", f"{classes[0]}/1.jpg", f"{classes[1]}/0.jpg"]
        rows = {
            "image_id": [self.image_id(path) for path in paths],
            "path": paths,
            "label": [classes[0], classes[0], classes[1]],
            "candidate": pa.array(scores or [[0.9, 0.1]] * 3, pa.list_(pa.float32())),
            "served": pa.array(served or [None] * 3, pa.list_(pa.float32())),
            "group": ["0", "1", "2"],
        }
        table = pa.table(rows).replace_schema_metadata({b"classes": json.dumps(list(classes))})
        pq.write_table(table, folder / "predictions.parquet")
        change = {"change": "worse", "path": paths[2], "label": classes[1]}
        change["image_id"] = self.image_id(paths[2])
        lines = [json.dumps(change | {"candidate": classes[0], "served": classes[1]}) + "\n"]
        (folder / "changes.jsonl").write_text("".join(lines) if served else "")
        self.keep_thumbnails(*paths)

    def keep_thumbnails(self, *paths: str) -> None:
        known = {self.image_id(path): self.pictures / path for path in paths}
        made = [make_thumbnail(file.read_bytes()) for file in known.values() if file.exists()]
        columns = dict(zip(("media", "data"), zip(*made, strict=True), strict=True)) if made else {}
        rows = {"image_id": [key for key, file in known.items() if file.exists()], **columns}
        folder = self.artifacts["Evaluator", "evaluation"]
        pq.write_table(pa.table(rows), folder / THUMBNAILS_FILE)

    def image_id(self, path: str) -> str:
        file = self.pictures / path
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "0"

    def gates(self, *gates: Gate) -> None:
        write_gates(self.artifact("Evaluator", "blessing"), gates)

    def serve(self, *versions: str) -> None:
        for version in versions:
            folder = self.folder / "runs" / "tiny" / "serving" / version
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").write_bytes(b"x")

    def files(self, version: str = "") -> RunFiles:
        started = datetime(2026, 11, 24, tzinfo=timezone.utc)
        run = RunRecord("2026-11-24T10:00:00", started, self.nodes, self.artifacts, version)
        return RunFiles(run, load_recipe(str(self.config)), str(self.config))

    def page(self, version: str = "") -> str:
        return page.make_page(self.files(version))


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    return exif


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(tmp_path)


@pytest.fixture
def pushed(run) -> Run:
    run.data()
    run.training()
    run.evaluation(served=[[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])
    run.gates(PASS)
    run.serve("1", "2")
    return run


def left_out(text: str) -> list[str]:
    return re.findall(r"Left out: (.*?)\.</p>", text)


def test_a_pushed_run_shows_everything(pushed):
    text = pushed.page("2")
    assert left_out(text) == []
    assert "Served as version 2: no gate said no." in text
    assert re.search(r"Served now</dt><dd>version 2", text)
    assert re.search(r"Served before</dt><dd>version 1", text)
    assert f"graft versions rollback --recipe {pushed.config}" in text
    assert "0.7 … 0.99" in " ".join(text.split())
    assert "right and the model that was served 1." in " ".join(text.split())
    assert text.count('role="img"') == 3, "two curves and calibration"
    assert len(text) < 5_000_000


def test_the_page_asks_nobody_for_anything_and_runs_nothing(pushed):
    text = pushed.page("2")
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    assert "<script" not in text and "<link" not in text and "@import" not in text
    sources = re.findall(r"(?:src|href)=\"([^\"]*)\"", text)
    assert sources and all(one.startswith(("data:image/", "#")) for one in sources)
    images = re.findall("<img [^>]*>", text)
    assert images and all(re.search('alt="[^"]+"', one) for one in images)


def test_a_refused_run_names_the_gates_and_the_worst_is_first(pushed):
    pushed.artifacts["DataGate", "data_blessing"] = pushed.folder / "blessing"
    pushed.artifacts["DataGate", "data_blessing"].mkdir()
    write_gates(pushed.folder / "blessing", [PASS, FAIL])
    text = pushed.page()
    assert "Not served. A gate said no: latency." in text
    assert text.index("9 ms, at most 1 allowed") < text.index("0.9 of 10")


def test_a_failed_run_shows_how_far_it_got(run):
    run.data()
    run.node("Trainer", "failed")
    text = run.page()
    assert "The run did not get to its end: Trainer (failed)." in text
    assert "the run did not get as far as Evaluator" in left_out(text)
    assert "No gate was asked" in text and "Served now</dt><dd>nothing" in text
    assert "versions rollback" not in text
    assert "3 are copies of" in text


def test_names_never_reach_the_page_as_they_are(run):
    names = ("a", EVIL)
    run.data(["a"])
    run.evaluation(names, [[0.1, 0.9]] * 3, [[0.9, 0.1]] * 3)
    run.gates(Gate(EVIL, "fail", 1.0, 1.0, EVIL))
    text = run.page()
    assert "<img src=x" not in text and "\x1b" not in text and "\u202e" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;\\x1b[31m\\u202egnp" in text
    assert "could not be made" not in text


def test_a_class_that_is_never_predicted_and_a_test_split_of_three(run):
    run.evaluation()
    text = " ".join(run.page().split())
    assert "2 of 3 pictures are right" in text and "never predicted" in text
    assert "0.0943 … 0.9916" in text.replace("0.09430", "0.0943"), "Clopper and Pearson, 2 of 3"
    assert "no model was served: nothing to compare with" in left_out(text)


def test_many_classes_have_no_matrix(run):
    names = [f"class {number:04}" for number in range(1000)]
    row = [0.0] * 999 + [1.0]
    run.evaluation(names, [row] * 3)
    text = run.page()
    assert "Confusion matrix" not in text and "<b>class 0000</b> taken for" in text
    assert len(text) < 5_000_000


def test_figures_that_are_not_numbers(run):
    run.training(NAN)
    run.evaluation(scores=[[NAN, NAN]] * 3)
    run.gates(Gate("loss", "fail", NAN, 1.0, "not a number"))
    text = run.page()
    assert "could not be made" not in text and "not a number" in text
    told = json.loads(page.as_json(run.files()))
    assert told["verdict"]["gates"][0]["value"] is None


def test_pictures_are_upright_and_small(pushed):
    text = pushed.page("2")
    (data, *_) = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', text)
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (56, 112)


def test_a_picture_deleted_since_is_shown_and_one_without_thumbnail_has_its_caption(pushed):
    shutil.rmtree(pushed.pictures / "dog")
    assert "not at hand" not in pushed.page("2")
    pushed.keep_thumbnails("cat/1.jpg")
    text = pushed.page("2")
    assert "picture not at hand" in text and "dog/0.jpg" in text
    assert 'alt="cat/1.jpg: a picture of cat"' in text


def test_an_evaluation_of_an_earlier_release_has_captions_alone(pushed):
    (pushed.artifacts["Evaluator", "evaluation"] / THUMBNAILS_FILE).unlink()
    text = pushed.page("2")
    assert left_out(text) == [] and "data:image" not in text.partition("<main>")[2]


def test_without_the_source_and_after_pruning(pushed):
    shutil.rmtree(pushed.pictures)
    assert "data:image" in pushed.page("2").partition("<main>")[2]
    shutil.rmtree(pushed.folder / "artifacts")
    text = pushed.page("2")
    assert "what Trainer left has been removed since (graft runs prune)" in left_out(text)
    assert "Served as version 2" in text


def test_damaged_files_leave_out_their_sections_alone(pushed):
    (pushed.artifacts["Trainer", "model_run"] / "training.json").write_text("{")
    (pushed.artifacts["ImageExampleGen", "examples"] / "summary.json").write_text("{}")
    found = left_out(pushed.page("2"))
    assert len(found) == 2 and "training.json is damaged" in found[0]
    assert "could not be made (KeyError" in found[1]


@pytest.fixture
def told(pushed, monkeypatch, capfd):
    """Makes the page of the last run, which began at a given time; gives what was printed."""
    run = pushed.files("2").run
    monkeypatch.setattr(report_command.run_history, "list_runs", lambda folder: [run])

    def told(since: int = 23) -> str:
        recipe = load_recipe(str(pushed.config))
        begun = datetime(2026, 11, since, tzinfo=timezone.utc)
        report_command.report_last(recipe, str(pushed.config), [], begun, print)
        return capfd.readouterr().out

    return told


def test_a_run_ends_with_its_page(told, pushed):
    path = pushed.folder / "runs" / "tiny" / "reports" / "2026-11-24T10-00-00.html"
    assert f"Report: {path}" in told().replace("\n", "") and path.stat().st_size > 10_000


def test_a_run_that_did_not_begin_has_none(told, pushed):
    assert told(since=25) == ""


def test_a_page_that_cannot_be_made_is_one_line(told, monkeypatch):
    def fail(files, path):
        raise OSError("disk full")

    monkeypatch.setattr(page, "write_page", fail)
    assert told() == "No report (OSError: disk full)\n"


@pytest.fixture
def command(pushed, monkeypatch, capfd):
    """Calls `graft report`; gives what it printed."""
    run = pushed.files("2").run
    monkeypatch.setattr(report_command.run_history, "find_run", lambda folder, name: run)

    def command(output: Path | None, as_json: bool = False) -> str:
        report_command.report_run(str(pushed.config), [], None, output, False, as_json)
        return capfd.readouterr().out

    return command


def test_the_command_writes_the_page_or_prints_the_facts(command, pushed):
    path = pushed.folder / "new" / "page.html"
    assert "Report:" in command(path) and path.read_text().startswith("<!doctype html>")
    told = json.loads(command(None, as_json=True))
    assert told["comparison"]["worse"] == 1 and told["verdict"]["served_now"] == "version 2"
    assert not (pushed.folder / "runs" / "tiny" / "reports").exists()


def test_a_page_that_cannot_be_written_is_the_users_to_mend(command, pushed):
    with pytest.raises(UserError, match=r"--out .*source cannot be written: Is a directory"):
        command(pushed.pictures)
