r"""Which settings suit one's own photos: accuracies of many trainings on five small data sets.

    python benchmarks/photos_settings.py --photos PATH/cats_and_dogs_filtered \
        --digits PATH/mnist10k.zip --out results.jsonl
    python benchmarks/photos_settings.py --out results.jsonl --table

What the frozen layers make of a picture is computed once for all trainings of a data set. Each of
them runs ten epochs, so that patience and epochs are read off its history afterwards. A line of
`--out` per training; `--table` reads them.
"""

import argparse
import collections
import itertools
import json
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from drawn_classes import draw_classes

sys.path.insert(0, str(Path(__file__).parents[1]))

_EPOCHS, _PATIENCE, _BATCH, _SIZE, _VIEWS = 10, 3, 32, 160, 4
_TRAIN_SHARE = 0.82  # of train and validation, as in the recipe: 0.7 / (0.7 + 0.15)
_CUTS = (100, 54)
# Of each: pictures by class to train and validate on, at most; and to test on.
_SIZES = {
    "cats and dogs": ([300, 300], [400, 400]),
    "a third of them": ([128, 128], [400, 400]),
    "10 to 1": ([300, 30], [600, 60]),
    "digits": ([40] * 10, [60] * 10),
    "36 drawn classes": ([12] * 36, [16] * 36),
}


class Data:
    """A data set as the frozen layers see it: by cut, float16 [views, pictures, ...]."""

    def __init__(self, pools: Sequence[Sequence[Path]], sizes, encoder, flip: bool):
        """Encodes the pictures of each class: all views of the first part, view 0 of the other."""
        pools = [
            np.random.default_rng(0).permutation(np.array(sorted(pool), object)) for pool in pools
        ]
        known, tested = (
            [list(pool[at : at + n]) for pool, at, n in zip(pools, starts, counts, strict=True)]
            for starts, counts in zip(([0] * len(pools), sizes[0]), sizes, strict=True)
        )
        self.labels, self.test_labels = (
            np.repeat(np.arange(len(pools)), [len(of_class) for of_class in part])
            for part in (known, tested)
        )
        self.known = encoder(list(itertools.chain(*known)), range(_VIEWS + 1), flip)
        self.test = encoder(list(itertools.chain(*tested)), [0], flip)

    def split(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows to train and to validate on, the same share of every class."""
        rng, train, validation = np.random.default_rng(seed), [], []
        for index in range(self.labels.max() + 1):
            rows = rng.permutation(np.flatnonzero(self.labels == index))
            at = round(_TRAIN_SHARE * len(rows))
            train.append(rows[:at])
            validation.append(rows[at:])
        return np.sort(np.concatenate(train)), np.sort(np.concatenate(validation))


def make_encoder(model):
    """A function from files, views and whether to flip to the activations of every cut."""
    import keras
    import tensorflow as tf

    from components.pixels import decode, rescale
    from components.trainer.inputs import constant_graph
    from components.trainer.inputs.frozen_prefix import deepest_frozen_tensor
    from components.transform.augment import augment
    from components.transform.config import AugmentationSettings

    network = model.get_layer("backbone").network
    tensors = {at: deepest_frozen_tensor(network, set(network.layers[at:])) for at in _CUTS}
    tensors[None] = model.get_layer("pooling")(network.output)
    outputs = {str(at): tensor for at, tensor in tensors.items()}
    run = constant_graph.inference(keras.Model(network.input, outputs))

    def encode(files, views, flip):
        settings = AugmentationSettings(horizontal_flip=flip, rotation=0.1)

        def pixels(paths, view):
            decoded = tf.map_fn(
                lambda path: decode(tf.io.read_file(path), [_SIZE, _SIZE]),
                paths,
                fn_output_signature=tf.TensorSpec([_SIZE, _SIZE, 3], tf.float32),
                parallel_iterations=16,
            )
            if view:
                names = tf.strings.regex_replace(paths, r".*/([^/]+/[^/]+)$", r"\1")
                hashed = tf.strings.to_hash_bucket_fast(names, 2**31 - 1)
                of_each = tf.fill(tf.shape(paths), tf.constant(view, tf.int64))
                decoded = augment(decoded, hashed, of_each, settings, seed=0)
            return rescale(decoded, "tf")

        kept = {at: [] for at in tensors}
        for view in views:
            batches = tf.data.Dataset.from_tensor_slices([str(f) for f in files]).batch(_BATCH)
            rows = {at: [] for at in tensors}
            seen = batches.map(lambda paths, v=view: pixels(paths, v), num_parallel_calls=2)
            for batch in seen.prefetch(2):
                given = run(batch)
                for at in tensors:
                    rows[at].append(given[str(at)].numpy().astype(np.float16))
            for at in tensors:
                kept[at].append(np.concatenate(rows[at]))
        return {at: np.stack(kept[at]) for at in tensors}

    return encode, tensors


class Trials:
    """Trainings on one data set. A network is compiled once per cut: that takes long."""

    def __init__(self, model, tensors, data: Data):
        from components.trainer.network.classifier import tail_from

        self._model, self._data = model, data
        self._initial = model.get_weights()
        self._head = tail_from(model, tensors[None])
        self._head.compile()
        self._tensors, self._tails = tensors, {}

    def run(self, seed: int, at: int, rate: float, views: int) -> dict:
        """Solves the head, then ten epochs from a layer on; what each gave."""
        import keras

        from components.trainer.fitting.head_solver import solve_head
        from components.trainer.inputs.activation_cache import Cached

        keras.utils.set_random_seed(seed)
        self._model.set_weights(self._initial)
        data = self._data
        rows = dict(zip(("train", "validation"), data.split(seed), strict=True))
        shown = {"train": slice(1, views + 1), "validation": slice(0, 1)}

        def kept(cut) -> dict[str, Cached]:
            return {
                name: Cached(data.known[cut][shown[name]][:, rows[name]], data.labels[rows[name]])
                for name in rows
            }

        solve_head(self._head, kept(None), None, "head")
        result = {"seed": seed, "at": at, "rate": rate, "views": views}
        result["head"] = self._validate(self._head, None, rows["validation"])
        result["head"] |= self._test(self._head, None)
        tail = self._tail(at, rate)
        cached, steps = kept(at)["train"], -(-len(rows["train"]) // _BATCH)
        result["epochs"] = []
        for epoch in range(_EPOCHS):
            batches = cached.training_batches(_BATCH, seed, epoch)
            tail.fit(batches, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)
            result["epochs"].append(self._validate(tail, at, rows["validation"]))
            if not _waited(result["epochs"]):  # no other can be kept
                result["epochs"][-1] |= self._test(tail, at)
            if _waited(result["epochs"]) >= _PATIENCE:
                break
        return result

    def _tail(self, at: int, rate: float):
        from components.trainer.fitting.phases import compile_for_phase
        from components.trainer.network.classifier import set_learning, tail_from
        from components.trainer.settings.trainer import TrainingSettings

        training = TrainingSettings(unfrozen={"fine_tune_at": at})
        phase = training.phases["unfrozen"]
        set_learning(self._model, phase)
        if at not in self._tails:
            tail = tail_from(self._model, self._tensors[at])
            compile_for_phase(tail, phase, 1, training)
            tail.optimizer.build(tail.trainable_variables)
            self._tails[at] = tail, [v.numpy() for v in tail.optimizer.variables]
        tail, state = self._tails[at]
        for variable, value in zip(tail.optimizer.variables, state, strict=True):
            variable.assign(value)
        tail.optimizer.learning_rate.assign(rate)
        return tail

    def _validate(self, tail, cut: int | None, rows: np.ndarray) -> dict[str, float]:
        data = self._data
        return _measured("validation", tail, data.known[cut][0][rows], data.labels[rows])

    def _test(self, tail, cut: int | None) -> dict[str, float]:
        return _measured("test", tail, self._data.test[cut][0], self._data.test_labels)


def _measured(name: str, tail, activations: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, mean of the classes' recalls, and loss."""
    batches = (activations[at : at + 128] for at in range(0, len(labels), 128))
    logits = np.concatenate([tail.predict_on_batch(x.astype(np.float32)) for x in batches])
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    right = logits.argmax(1) == labels
    recalls = [right[labels == label].mean() for label in np.unique(labels)]
    logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    loss = -logs[np.arange(len(labels)), labels].mean()
    measures = {name: right.mean(), f"{name} balanced": np.mean(recalls), f"{name} loss": loss}
    return {key: float(value) for key, value in measures.items()}


def _rank(epoch: dict) -> tuple[float, float]:
    return epoch["validation"], -epoch["validation loss"]


def _waited(epochs: Sequence[dict]) -> int:
    """Epochs since the best one."""
    ranks = [_rank(epoch) for epoch in epochs]
    return len(ranks) - 1 - ranks.index(max(ranks))


def kept_by(result: dict, patience: int, epochs: int) -> tuple[dict, int]:
    """What the recipe would keep of a training with this patience, and after how many epochs."""
    done = []
    for epoch in result["epochs"][:epochs]:
        done.append(epoch)
        if _waited(done) >= patience:
            break
    # The later phase wins a tie.
    return max([*reversed(done), result["head"]], key=_rank), len(done)


def _data_sets(args: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, list[list[Path]]]]:
    photos = [sorted(args.photos.glob(f"*/{name}/*.jpg")) for name in ("cats", "dogs")]
    with zipfile.ZipFile(args.digits) as archive:
        archive.extractall(scratch / "digits")
    draw_classes(scratch / "drawn", sum(sizes[0] for sizes in _SIZES["36 drawn classes"]))
    of_digits = [sorted((scratch / "digits").glob(f"*/{digit}/*")) for digit in range(10)]
    drawn = [sorted(folder.iterdir()) for folder in sorted((scratch / "drawn").iterdir())]
    for name in _SIZES:
        yield name, {"digits": of_digits, "36 drawn classes": drawn}.get(name, photos)


def main() -> None:
    """Trains, or prints what came of it."""
    args = _arguments()
    if args.table:
        print(table([json.loads(line) for line in args.out.read_text().splitlines()]))
        return
    from components.trainer.network.classifier import build_classifier
    from components.trainer.settings.trainer import BackboneSettings, HeadSettings

    backbone = BackboneSettings(image_size=_SIZE, weights=args.weights)
    trials = {}
    with tempfile.TemporaryDirectory(prefix="graft-settings-") as scratch:
        for name, pools in _data_sets(args, Path(scratch)):
            if args.only and name not in args.only:
                continue
            model = build_classifier(backbone, HeadSettings(), len(pools), steps=1)
            encode, tensors = make_encoder(model)
            data = Data(pools, _SIZES[name], encode, flip=name != "digits")
            trials[name] = Trials(model, tensors, data)
            print(name, len(data.labels), len(data.test_labels), flush=True)
    for seed, setting in itertools.product(args.seeds, args.settings):
        at, rate, views = setting.split(",")
        for name, of_data in trials.items():
            start = time.process_time()
            result = of_data.run(seed, int(at), float(rate), int(views))
            cpu_s = time.process_time() - start
            with args.out.open("a") as file:
                file.write(json.dumps({"data": name, **result, "cpu_s": cpu_s}) + "\n")


def table(results: Sequence[dict]) -> str:
    """A row per setting, a column per data set."""
    names = list(dict.fromkeys(result["data"] for result in results))
    by_setting = collections.defaultdict(list)
    for result in results:
        by_setting[result["at"], result["rate"], result["views"]].append(result)
    rows = [f"| layer, rate, views, patience, epochs | {' | '.join(names)} |"]
    rows.append("|---" * (len(names) + 1) + "|")
    for (at, rate, views), of_setting in sorted(by_setting.items()):
        for patience, epochs in ((3, 10), (2, 10), (3, 4), (1, 0)):
            cells = []
            for name in names:
                mine = [result for result in of_setting if result["data"] == name]
                cells.append(_cell([kept_by(result, patience, epochs) for result in mine]))
            title = f"{at}, {rate:g}, {views}, {patience}, {epochs}" if epochs else f"head, {views}"
            rows.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(kept: Sequence[tuple[dict, int]]) -> str:
    """Means over seeds: validation, test, recall there by class; epochs, and how many seeds."""
    if not kept:
        return ""
    keys = ("validation", "test", "test balanced")
    means = [statistics.mean(of_one[key] for of_one, _ in kept) for key in keys]
    epochs = statistics.mean(done for _, done in kept)
    return f"{' / '.join(f'{mean:.4f}' for mean in means)} ({epochs:.1f}; {len(kept)})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--digits", type=Path)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--settings", nargs="+", default=["100,3e-5,2", "100,1e-4,2"])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
