"""A run of which everything is made up: what its nodes leave, as far as it got."""

import hashlib
import json
import time
from datetime import datetime, timezone
from pathlib import Path
from unittest.mock import MagicMock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from markupsafe import Markup
from PIL import Image

from components.evaluator.thumbnails import THUMBNAILS_FILE, make_thumbnail
from components.gates import Gate, write_gates
from pipeline.config import load_recipe
from pipeline.report import charts, page
from pipeline.report.run_files import RunFiles
from pipeline.run_history import NodeRecord, RunRecord

EVIL = "<img src=x onerror=alert(1)>\"'\x1b[31m\u202egnp"
PASS = Gate("accuracy", "pass", 0.9, 0.8, "0.9 of 10", (0.7, 0.99), 10)
FAIL = Gate("latency", "fail", 9.0, 1.0, "9 ms, at most 1 allowed")
NAN = float("nan")


class Run:
    """Writes what nodes leave, as far as a run got."""

    EVIL, PASS, FAIL, NAN = EVIL, PASS, FAIL, NAN
    NAME = "2026-11-24T10:00:00.250000"

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

    def node(self, name: str, state: str = "run", failure: str = "") -> None:
        self.nodes.append(NodeRecord(name, state, 1.5, failure))

    def data(self, classes=("cat", "dog")) -> None:
        self.node("ImageExampleGen")
        folder = self.artifact("ImageExampleGen", "examples")
        for place, name in enumerate(classes):
            (self.pictures / name).mkdir(parents=True)
            for number in range(2):
                path = self.pictures / name / f"{number}.jpg"
                colour = (200, 90 * number, 90 * place % 256)
                Image.new("RGB", (200, 100), colour).save(path, exif=_turned())
        summary = {
            "classes": list(classes),
            "total": 2 * len(classes),
            "counts": {"train": dict.fromkeys(classes, 1), "test": dict.fromkeys(classes, 1)},
            "duplicates": {"copies": 3, "identical": 2, "contradicting": 1, "leaking": 0},
        }
        (folder / "summary.json").write_text(json.dumps(summary))
        line = {"path": f"cat/{EVIL}.jpg", "reason": f"damaged {EVIL}"}
        (folder / "quarantine.jsonl").write_text(json.dumps(line) + "\n")

    def training(self, loss: float = 0.5, temperature: float | None = None) -> None:
        self.node("Trainer")
        phase = {
            "name": "frozen",
            "parameters": {"trainable": 10, "total": 20, "trainable_variables": 2},
            "history": {
                key: [loss, loss]
                for key in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
            },
            "best_epoch": 1,
            "seconds": 3.0,
        }
        report = {"phases": [phase], "kept": "frozen", "pseudo_labels": None}
        report["temperature"] = temperature
        folder = self.artifact("Trainer", "model_run")
        (folder / "training.json").write_text(json.dumps(report))
        Image.new("RGB", (256, 128), "red").save(folder / "views.jpg")

    def evaluation(
        self, classes=("cat", "dog"), scores=None, served=None, places=(0, 0, 1), groups=()
    ):
        """Pictures of the classes at some places: two of the first one, one of the second."""
        self.node("Evaluator")
        folder = self.artifact("Evaluator", "evaluation")
        labels, count = [classes[place] for place in places], len(places)
        paths = [f"{name}/{labels[:row].count(name)}.jpg" for row, name in enumerate(labels)]
        rows = {
            "image_id": [self.image_id(path) for path in paths],
            "path": paths,
            "label": labels,
            "candidate": pa.array(scores or [[0.9, 0.1]] * count, pa.list_(pa.float32())),
            "served": pa.array(served or [None] * count, pa.list_(pa.float32())),
            "group": [str(group) for group in groups or range(count)],
            "format": [*["JPEG"] * (count - 1), "PNG"],
        }
        table = pa.table(rows).replace_schema_metadata({b"classes": json.dumps(list(classes))})
        pq.write_table(table, folder / "predictions.parquet")
        change = {"change": "worse", "path": paths[-1], "label": labels[-1]}
        change["image_id"] = self.image_id(paths[-1])
        lines = [json.dumps(change | {"candidate": classes[0], "served": classes[1]}) + "\n"]
        (folder / "changes.jsonl").write_text("".join(lines) if served else "")
        self.keep_thumbnails(*paths)

    def keep_thumbnails(self, *paths: str, heat: bool = False) -> None:
        known = {self.image_id(path): self.pictures / path for path in paths}
        made = [make_thumbnail(file.read_bytes()) for file in known.values() if file.exists()]
        columns = dict(zip(("media", "data"), zip(*made, strict=True), strict=True)) if made else {}
        rows = {"image_id": [key for key, file in known.items() if file.exists()], **columns}
        rows["heat"] = [data if heat else None for _, data in made]
        folder = self.artifacts["Evaluator", "evaluation"]
        pq.write_table(pa.table(rows), folder / THUMBNAILS_FILE)

    def image_id(self, path: str) -> str:
        file = self.pictures / path
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "0"

    def gates(self, *gates: Gate) -> None:
        write_gates(self.artifact("Evaluator", "blessing"), gates)

    def gates_of_all(self) -> None:
        warn = Gate("sharpness drift", "warn", 0.2, 0.1, f"further than usual {EVIL}")
        folder = self.artifact("DataGate", "data_blessing")
        write_gates(folder, [PASS, FAIL, warn])

    def facts_of_pictures(self) -> None:
        """A table of pictures, one of which is much larger than the others."""
        rows = {"image_id": [], "path": [], "group": [], "label": [], "split": []}
        names = ("width", "height", "bytes", "sharpness", "aspect", "brightness", "contrast")
        rows |= {name: [] for name in (*names, "colourfulness")}
        for number in range(40):
            for name in rows:
                rows[name].append(f"{number}" if name in ("image_id", "path", "group") else 1.0)
            rows["label"][-1], rows["split"][-1] = "cat", "train"
            rows["width"][-1] = 9000.0 if number == 7 else 100.0 + number
        folder = self.artifacts["ImageExampleGen", "examples"]
        pq.write_table(pa.table(rows), folder / "pictures.parquet")

    def serve(self, *versions: str) -> None:
        for version in versions:
            folder = self.folder / "runs" / "tiny" / "serving" / version
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").write_text(version)

    def everything(self) -> None:
        """What a run leaves that pushed its model."""
        self.data()
        self.training(temperature=2.0)
        self.evaluation(served=[[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])
        self.gates(PASS)
        self.serve("1", "2")

    def files(self, version: str = "") -> RunFiles:
        started = datetime(2026, 11, 24, tzinfo=timezone.utc)
        run = RunRecord(self.NAME, started, self.nodes, self.artifacts, version)
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
    run.everything()
    return run


@pytest.fixture(scope="session")
def new_run() -> type[Run]:
    """Makes runs, for fixtures that outlive a test."""
    return Run


@pytest.fixture
def far_east(monkeypatch):
    """The clock of this machine is nine hours ahead."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def quick_charts(monkeypatch) -> None:
    """Charts are their words alone: to draw them takes most of the time of a page."""

    def words(_, label: str) -> Markup:
        return Markup(f'<svg role="img" aria-label="{label}"></svg>')

    monkeypatch.setattr(charts, "_svg", words)
    monkeypatch.setattr(charts, "Figure", MagicMock())


@pytest.fixture
def shown():
    """`shown(section, told)`: what a section's template makes of facts, on one line."""

    def shown(section, told) -> str:
        template = page._template(section.TEMPLATE)
        return " ".join(template.render(told, chart=lambda *_: "CHART").split())

    return shown
