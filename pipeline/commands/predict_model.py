"""A served model, asked in batches about files."""

import dataclasses
import stat
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from components import features, picture_formats, served_versions
from components.classes import read_classes
from components.errors import UserError
from components.graph_check import require_computing
from components.text import one_line

# The SavedModel gets no faster with more, and the pixels of these fit into any memory.
_BATCH = 32
_BATCH_BYTES = 64 << 20
# What is larger is no picture that a model was trained on; reading it could fill the memory.
_LARGEST_FILE = 256 << 20

_ANSWERS = (features.PROBABILITIES, features.PREDICTED_LABEL)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model says about a file.

    Attributes:
        path: of the file, as it was given.
        probabilities: float32 [classes]; None: there is no answer.
        unsure: whether the model abstains; None: it knows no such output.
        label_set: bool [classes], which classes the picture may well be of; None: likewise.
        heat_map: float32 [height, width] in 0..1; None: not asked for, or not to be had.
        error: why there is no answer; empty if there is one.
    """

    path: str
    probabilities: np.ndarray | None = None
    unsure: bool | None = None
    label_set: np.ndarray | None = None
    heat_map: np.ndarray | None = None
    error: str = ""


class Model:
    """A loaded SavedModel.

    Attributes:
        classes: names, by column of the probabilities.
        explains: whether answers have heat maps.
        abstains: whether answers say `unsure`.
        has_label_sets: whether answers have a label set.
    """

    def __init__(self, folder: Path, explain: bool):
        """Loads it, if it can do no more than compute.

        Args:
            folder: of the SavedModel.
            explain: asks for heat maps, where the model has them.

        Raises:
            UserError: it is none of Graft, is damaged, or can reach out.
        """
        if not (folder / served_versions.SAVED_MODEL_FILE).is_file():
            raise UserError(f"--model: {folder} holds no {served_versions.SAVED_MODEL_FILE}")
        require_computing("--model", folder)
        self.classes = read_classes(folder)
        try:
            # Its functions live no longer than the object that they were loaded with.
            self._loaded = tf.saved_model.load(str(folder))
            signatures = self._loaded.signatures
            self.explains = explain and features.EXPLAIN_SIGNATURE in signatures
            name = features.EXPLAIN_SIGNATURE if self.explains else features.SERVING_SIGNATURE
            self._ask_model = signatures[name]
            outputs = self._ask_model.structured_outputs
            for wanted in _ANSWERS:
                outputs[wanted]
        except Exception as error:  # OSError, IndexError, tf.errors.…: damaged files raise them all
            raise UserError(
                f"{folder} is damaged, or no model of Graft: TensorFlow cannot load it "
                f"({one_line(error)})"
            ) from error
        self.abstains = features.UNSURE in outputs
        self.has_label_sets = features.IN_LABEL_SET in outputs

    def answers(self, paths: Iterable[str]) -> Iterator[Answer]:
        """Asks about files, the next of which are read meanwhile.

        Yields:
            An answer per file, in their order.
        """
        batches = _read_batches(paths)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(next, batches, None)
            while (batch := coming.result()) is not None:
                coming = reader.submit(next, batches, None)
                yield from self._answer(batch)

    def _answer(self, batch: list["_File"]) -> Iterator[Answer]:
        whole = [file for file in batch if not file.error]
        answered = iter(self._ask(whole))
        for file in batch:
            yield Answer(file.path, error=file.error) if file.error else next(answered)

    def _ask(self, files: list["_File"]) -> list[Answer]:
        """Halves a batch that the model refuses, until the files are alone that it refuses."""
        if not files:
            return []
        try:
            found = self._ask_model(
                **{features.IMAGE_BYTES: tf.constant([file.data for file in files])}
            )
        except tf.errors.OpError as error:
            if len(files) == 1:
                return [Answer(files[0].path, error=_refusal(files[0].data, error))]
            half = len(files) // 2
            return self._ask(files[:half]) + self._ask(files[half:])
        return _answers(files, found)


@dataclasses.dataclass(frozen=True)
class _File:
    path: str
    data: bytes = b""
    error: str = ""


def _answers(files: list[_File], found: Mapping[str, tf.Tensor]) -> list[Answer]:
    def rows(name: str) -> list:
        return list(found[name].numpy()) if name in found else [None] * len(files)

    columns = (
        [file.path for file in files],
        rows(features.PROBABILITIES),
        [None if unsure is None else bool(unsure) for unsure in rows(features.UNSURE)],
        rows(features.IN_LABEL_SET),
        rows(features.HEAT_MAP),
    )
    return [Answer(*row) for row in zip(*columns, strict=True)]


def _refusal(data: bytes, error: tf.errors.OpError) -> str:
    if not isinstance(error, tf.errors.InvalidArgumentError):
        return one_line(error.message, 100)
    known = picture_formats.format_of(data)
    if known:
        return f"damaged {known}"
    return "not a JPEG, PNG or GIF" if data else "empty file"


def _read_batches(paths: Iterable[str]) -> Iterator[list[_File]]:
    batch, size = [], 0
    for path in paths:
        file = read_file(path)
        batch.append(file)
        size += len(file.data)
        if len(batch) == _BATCH or size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def read_file(path: str) -> _File:
    """The bytes of a file, or why it is none that a model is asked about."""
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):  # reading a device or a pipe may never end
            return _File(path, error="not a file")
        if status.st_size > _LARGEST_FILE:
            return _File(path, error=f"larger than {_LARGEST_FILE >> 20} MiB")
        return _File(path, Path(path).read_bytes())
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        return _File(path, error=getattr(error, "strerror", None) or one_line(error, 100))
