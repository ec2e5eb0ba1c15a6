"""Cache of the frozen layers' activations: computed once per view and kept on disk.

With `augmentation.views: K` a picture has K views for the whole training. The frozen phase then
trains on pooled features, the unfrozen phase from the last tensor that no learning layer touches.
"""

import dataclasses
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components import progress
from components.errors import UserError
from components.files import atomic_file
from components.trainer.inputs.examples import untuned
from components.trainer.kept_files import discard_damaged, read_array

# float16 halves the disk and keeps 11 bits; activations lie far inside its range.
_DTYPE = np.float16


@dataclasses.dataclass(frozen=True)
class Cached:
    """The kept activations of one tensor over a split.

    Attributes:
        activations: float16 [views, pictures, ...], a memory map or several.
        labels: int64 [pictures].
    """

    activations: "np.ndarray | _Joined"
    labels: np.ndarray

    def epoch_order(self, epoch: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The order of an epoch: every picture once, and all of its K views in K epochs.

        Returns:
            views, pictures: int64 [pictures] each.
        """
        views, pictures = self.activations.shape[:2]
        turn, place = divmod(epoch, views)
        ranks = np.random.default_rng([seed, 0, turn]).random((pictures, views))
        view_of = np.argsort(ranks, axis=1)[:, place]
        order = np.random.default_rng([seed, 1, epoch]).permutation(pictures)
        return view_of[order], order

    def training_batches(
        self,
        batch_size: int,
        seed: int,
        first_epoch: int = 0,
        targets: np.ndarray | None = None,
    ) -> tf.data.Dataset:
        """Epoch after epoch without end, from `first_epoch` on.

        Args:
            batch_size: pictures.
            seed: fixes the order.
            first_epoch: where to begin.
            targets: what each picture is to be learned as, in place of its label.

        Returns:
            Batches of (float32 [batch, ...], labels or targets [batch, ...]).
        """
        targets = self.labels if targets is None else targets

        def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            epoch = first_epoch
            while True:
                views, order = self.epoch_order(epoch, seed)
                for at in range(0, len(order), batch_size):
                    rows = slice(at, at + batch_size)
                    yield self.activations[views[rows], order[rows]], targets[order[rows]]
                epoch += 1

        return self._dataset(batches, targets)

    def validation_batches(self, batch_size: int) -> tf.data.Dataset:
        """View 0 of every picture, once, in order."""

        def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for at in range(0, len(self.labels), batch_size):
                rows = slice(at, at + batch_size)
                yield self.activations[0, rows], self.labels[rows]

        steps = -(-len(self.labels) // batch_size)
        return self._dataset(batches, self.labels).apply(
            tf.data.experimental.assert_cardinality(steps)
        )

    def _dataset(self, batches: Callable, targets: np.ndarray) -> tf.data.Dataset:
        signature = (
            tf.TensorSpec([None, *self.activations.shape[2:]], tf.as_dtype(_DTYPE)),
            tf.TensorSpec([None, *targets.shape[1:]], targets.dtype),
        )
        dataset = untuned(tf.data.Dataset.from_generator(batches, output_signature=signature))
        return dataset.map(lambda x, y: (tf.cast(x, tf.float32), y)).prefetch(2)


class _Joined:
    """Kept activations of some pictures and then of others, without a copy of either.

    Attributes:
        shape: views, pictures of all parts, ….
    """

    def __init__(self, parts: Sequence[np.ndarray]):
        self._parts = parts
        views, _, *rest = parts[0].shape
        self.shape = (views, sum(part.shape[1] for part in parts), *rest)

    def __getitem__(self, rows: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        views, pictures = rows
        found = np.empty((len(pictures), *self.shape[2:]), _DTYPE)
        first = 0
        for part in self._parts:
            here = (first <= pictures) & (pictures < first + part.shape[1])
            found[here] = part[views[here], pictures[here] - first]
            first += part.shape[1]
        return found

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.concatenate(self._parts, axis=1, dtype=dtype)


def joined(one: Cached, other: Cached) -> Cached:
    """The pictures of both, for training."""
    activations = _Joined((one.activations, other.activations))
    return Cached(activations, np.concatenate([one.labels, other.labels]))


def require_space(
    tensors: Mapping[str, keras.KerasTensor], views: int, folder: Path, reserved_bytes: int = 0
) -> None:
    """Announces what the cache will take, and stops before any work if that is not there.

    Args:
        tensors: what is kept, by name.
        views: how many views of pictures, over all splits.
        folder: where they are kept.
        reserved_bytes: what must be left beside them.

    Raises:
        UserError: the disk is too small.
    """
    needed = sum(views * bytes_per_view(tensor) for tensor in tensors.values())
    free = shutil.disk_usage(folder).free
    logging.info("Frozen-prefix cache: %d views, %.0f MB in %s", views, needed / 1e6, folder)
    if needed + reserved_bytes > free:
        raise UserError(
            f"augmentation.views: keeping {views:,} views takes {needed / 1e6:,.0f} MB, and the "
            f"model {reserved_bytes / 1e6:,.0f} MB, but {folder} has only {free / 1e6:,.0f} MB "
            "free. Lower augmentation.views, or leave it out to draw fresh views in every epoch"
        )


def bytes_per_view(tensor: keras.KerasTensor) -> int:
    """Disk that one view of one picture takes."""
    return _bytes(tensor.shape[1:])


def encode(
    name: str,
    encoder: Callable[[], Callable[[tf.Tensor], Mapping[str, tf.Tensor]]],
    tensors: Mapping[str, keras.KerasTensor],
    batches: Callable[[], tf.data.Dataset],
    views: int,
    count: int,
    folder: Path,
) -> dict[str, Cached]:
    """Runs the frozen layers over all views, unless an earlier attempt has done so already.

    Args:
        name: of the split, for the files and the progress.
        encoder: makes a function from a batch of pixels to `tensors`; asked where there is work.
        tensors: what is kept, by name.
        batches: makes those of (pixels, label) of all pictures, all views of a picture one after
            the other, always in the same order.
        views: how many views.
        count: pictures.
        folder: where the activations are kept.

    Returns:
        The kept activations of each tensor.
    """
    paths = {key: folder / f"{name}-{key}.f16" for key in tensors}
    shapes = {key: (views, count, *tensor.shape[1:]) for key, tensor in tensors.items()}
    labels_path = folder / f"{name}-labels.npy"
    if is_complete(name, folder):
        labels = read_array(labels_path)
        damaged = [path for key, path in paths.items() if _size(path) != _bytes(shapes[key])]
        if labels is not None and not damaged:
            return {
                key: Cached(np.memmap(path, _DTYPE, "r+", shape=shapes[key]), labels)
                for key, path in paths.items()
            }
        _marker(name, folder).unlink()
        for path in damaged:
            discard_damaged(path, f"{_size(path):,} bytes")
    for key, path in paths.items():
        _allocate(path, _bytes(shapes[key]))
    maps = {key: np.memmap(paths[key], _DTYPE, "r+", shape=shapes[key]) for key in tensors}

    run = encoder()
    labels = np.zeros(count, np.int64)
    done = 0
    for pixels, batch_labels in batches():
        of_pictures = batch_labels[::views]
        rows = slice(done, done + len(of_pictures))
        for key, activations in run(pixels).items():
            by_picture = activations.numpy().reshape(-1, views, *activations.shape[1:])
            maps[key][:, rows] = by_picture.swapaxes(0, 1)
        labels[rows] = of_pictures
        done = rows.stop
        progress.report(f"encoding, {name}", views * done, views * count, "once per view")
    for kept in maps.values():
        kept.flush()
    with atomic_file(labels_path) as file:
        np.save(file, labels)
    _marker(name, folder).touch()
    return {key: Cached(kept, labels) for key, kept in maps.items()}


def is_complete(name: str, folder: Path) -> bool:
    """Whether an earlier attempt has encoded a split to its end.

    Args:
        name: of the split.
        folder: where the activations are kept.
    """
    return _marker(name, folder).exists()


def _marker(name: str, folder: Path) -> Path:
    return folder / f"{name}-complete"


def _allocate(path: Path, size: int) -> None:
    """Makes a file of `size` bytes, which a full disk refuses now; later it would be a SIGBUS."""
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _bytes(shape: tuple[int, ...]) -> int:
    return math.prod(shape) * np.dtype(_DTYPE).itemsize
