"""Writes that must be whole or not there, each as an operation that the driver disturbs.

Add one here for whatever Graft writes and reads again: `OPERATIONS` is the list.
"""

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.chaos import versions


@dataclasses.dataclass(frozen=True)
class Operation:
    """One kind of write.

    Attributes:
        name: for the table.
        prepare: `prepare(folder, rng)` sets the scene; nothing disturbs it.
        act: `act(folder)` is what is disturbed. Run again undisturbed, it must succeed.
        check: `check(folder, done)` tells what is wrong with what lies there now; `done` says that
            the last `act` came to its end. Runs in a process of its own too.
    """

    name: str
    prepare: Callable[[Path, random.Random], None]
    act: Callable[[Path], None]
    check: Callable[[Path, bool], list[str]]


def _nothing(folder: Path, rng: random.Random) -> None:
    pass


# --- a file that others read ---------------------------------------------------------------------

_TEXTS = ["a" * 10, "b" * 100_000]


def _write_file(folder: Path) -> None:
    from components.files import write_atomically

    for text in _TEXTS:
        write_atomically(folder / "file", text)


def _check_file(folder: Path, done: bool) -> list[str]:
    file = folder / "file"
    if not file.exists():
        return ["there is no file"] if done else []
    text = file.read_text()
    return [] if text in (_TEXTS[-1:] if done else _TEXTS) else [f"half a file: {len(text)} bytes"]


# --- ingest --------------------------------------------------------------------------------------

_PICTURES = 30


def _draw_pictures(folder: Path, rng: random.Random) -> None:
    from PIL import Image

    for number in range(_PICTURES):
        path = folder / "pictures" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = (number, 8 * number, 255 - number)  # the splits go by the content
        Image.new("RGB", (20, 16), colour).save(path)


def _ingest(folder: Path) -> None:
    import apache_beam as beam

    from components.example_gen.config import DataSettings
    from components.example_gen.ingest import ingest
    from components.example_gen.reading.sources import open_source

    settings = DataSettings(
        source=str(folder / "pictures"),
        split={"train": 0.5, "validation": 0.25, "test": 0.25},
        min_per_class=1,
    )
    source = open_source(settings.source, folder / "sources")
    arguments = ["--runner=FnApiRunner", "--direct_running_mode=in_memory"]
    uri = folder / "examples"
    uri.mkdir(exist_ok=True)
    ingest(source, settings, str(uri), lambda: beam.Pipeline(argv=arguments))


def _check_ingest(folder: Path, done: bool) -> list[str]:
    """The summary is written last: where it is, every record is."""
    import tensorflow as tf

    from components.features import SUMMARY_FILE

    uri = folder / "examples"
    if not (uri / SUMMARY_FILE).exists():
        return ["there is no summary"] if done else []
    json.loads((uri / SUMMARY_FILE).read_text())
    files = [str(path) for path in uri.glob("Split-*/*.gz")]
    try:
        records = list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
    except tf.errors.OpError as error:
        return [f"records cannot be read: {error.message}"]
    return [] if len(records) == _PICTURES else [f"{len(records)} of {_PICTURES} records"]


# --- the state of a training ---------------------------------------------------------------------

_EPOCHS = 4


class _Model:
    """As much of a Keras model as a checkpoint sees; epoch n leaves n in every weight."""

    def __init__(self):
        self.weights = [_Variable(np.zeros(2000, np.float32)) for _ in range(3)]
        self.variables = self.weights
        self.optimizer = _Optimizer()
        self.stop_training = False

    def get_weights(self) -> list[np.ndarray]:
        return [np.array(weight) for weight in self.weights]

    def set_weights(self, values: list[np.ndarray]) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)


class _Variable:
    def __init__(self, value: np.ndarray):
        self.value = value
        self.shape = value.shape

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value, dtype)

    def assign(self, value) -> None:
        self.value = np.array(value)


class _Optimizer:
    def __init__(self):
        self.variables = [_Variable(np.zeros(1, np.int64))]
        self.learning_rate = 0.1


def _train(folder: Path) -> None:
    """Goes on where it finds itself, and writes down the epochs that it trains."""
    from components.trainer.fitting.checkpoint import Checkpoint

    checkpoint, model = Checkpoint(folder / "state.npz", _EPOCHS, patience=0), _Model()
    checkpoint.set_model(model)
    checkpoint.restore(model)
    for epoch in range(checkpoint.next_epoch, _EPOCHS):
        for weight in model.weights:
            weight.assign(np.full(2000, epoch + 1, np.float32))
        checkpoint.on_epoch_end(epoch, {"val_accuracy": epoch / 10, "val_loss": 1.0})
        with (folder / "finished").open("a") as file:
            file.write(f"{epoch} ")


def _check_training(folder: Path, done: bool) -> list[str]:
    from components.trainer.fitting.checkpoint import Checkpoint

    checkpoint, model = Checkpoint(folder / "state.npz", _EPOCHS, patience=0), _Model()
    checkpoint.restore(model)
    epochs = checkpoint.next_epoch
    wrong = []
    if any((np.array(weight) != epochs).any() for weight in model.weights):
        wrong.append(f"the weights are not those of epoch {epochs}")
    if done and epochs != _EPOCHS:
        wrong.append(f"{epochs} of {_EPOCHS} epochs")
    file = folder / "finished"
    finished = file.read_text().split() if file.exists() else []
    if len(set(finished)) != len(finished):
        wrong.append(f"an epoch was trained twice: {' '.join(finished)}")
    if finished and int(finished[-1]) >= epochs:
        wrong.append(f"epoch {finished[-1]} was finished, and {epochs} are known")
    return wrong


# --- a SavedModel --------------------------------------------------------------------------------


def _export(folder: Path) -> None:
    """What the Trainer exports, with a model and a graph in place of those of a run."""
    import tensorflow as tf

    from components.classes import write_classes

    module = tf.Module()
    module.kernel = tf.Variable(tf.ones([64, 64]))
    path = str(folder / "model")
    tf.saved_model.save(module, path)
    write_classes(path, ["a", "b"])


def _check_export(folder: Path, done: bool) -> list[str]:
    """The class names are written last: where they are, the model can be loaded."""
    import tensorflow as tf

    from components.classes import read_classes

    if not (folder / "model" / "assets.extra" / "classes.txt").exists():
        return ["there is no model"] if done else []
    try:
        kernel = tf.saved_model.load(str(folder / "model")).kernel
    except (OSError, ValueError, tf.errors.OpError) as error:
        return [f"the model cannot be loaded: {error}"]
    if kernel.shape != (64, 64) or read_classes(folder / "model") != ["a", "b"]:
        return ["the model is not what was exported"]
    return []


# --- what the gates are decided by, and what they said --------------------------------------------

_ANSWERS = 2000


def _write_answers(folder: Path, rng: random.Random) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from components.predictions import ANSWERS

    rows = [
        {"image_id": f"{number}", "path": f"{number}.png", "label": "ab"[number % 2],
         "candidate": [rng.random(), rng.random()], "served": None}
        for number in range(_ANSWERS)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, ANSWERS), folder / "answers")


def _gather(folder: Path) -> None:
    from components.predictions import PREDICTIONS_FILE, gather

    gather([folder / "answers"], folder, ["a", "b"], folder / PREDICTIONS_FILE)


def _check_predictions(folder: Path, done: bool) -> list[str]:
    from components.errors import UserError
    from components.predictions import PREDICTIONS_FILE, read_predictions

    if not (folder / PREDICTIONS_FILE).exists():
        return ["there are no predictions"] if done else []
    try:
        count = len(read_predictions(folder).labels)
    except UserError as error:
        return [str(error)]
    return [] if count == _ANSWERS else [f"{count} of {_ANSWERS} rows"]


_THUMBNAILS = 300


def _keep_thumbnails(folder: Path) -> None:
    import io

    from PIL import Image

    from components.evaluator import thumbnails

    file = io.BytesIO()
    Image.new("RGB", (300, 300), "red").save(file, "JPEG")
    pictures = [(f"{number}", file.getvalue()) for number in range(_THUMBNAILS)]
    thumbnails._pictures = lambda examples, wanted: pictures
    thumbnails.write_thumbnails(folder, [], [])


def _check_thumbnails(folder: Path, done: bool) -> list[str]:
    from components.errors import UserError
    from components.evaluator.thumbnails import THUMBNAILS_FILE, read_thumbnails

    if not (folder / THUMBNAILS_FILE).exists():
        return ["there are no thumbnails"] if done else []
    try:
        count = len(read_thumbnails(folder)[0])
    except UserError as error:
        return [str(error)]
    return [] if count == _THUMBNAILS else [f"{count} of {_THUMBNAILS} thumbnails"]


def _note_verdict(folder: Path) -> None:
    from components.gates import Gate
    from components.pusher.verdicts import note_verdict

    note_verdict(folder, "split", "model", [Gate("accuracy", "fail", 0.5, 0.9, "")])


def _check_verdict(folder: Path, done: bool) -> list[str]:
    from components.pusher.verdicts import count_models

    for file in folder.rglob("[!.]*.json"):
        json.loads(file.read_text())
    count = count_models(folder, "split")
    return [] if count == 1 or not done else [f"{count} models are on record"]


OPERATIONS = [
    Operation("file", _nothing, _write_file, _check_file),
    Operation("ingest", _draw_pictures, _ingest, _check_ingest),
    Operation("training state", _nothing, _train, _check_training),
    Operation("export", _nothing, _export, _check_export),
    Operation("predictions", _write_answers, _gather, _check_predictions),
    Operation("thumbnails", _nothing, _keep_thumbnails, _check_thumbnails),
    Operation("verdict", _nothing, _note_verdict, _check_verdict),
    Operation("push", versions.make_models, versions.push_new, versions.check_push),
    Operation("rollback", versions.make_versions, versions.roll_back, versions.check_rollback),
]
