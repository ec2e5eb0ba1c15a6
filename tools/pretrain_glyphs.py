"""Makes the built-in source model `glyphs`: a MobileNetV2 that has learned drawn letters.

Graft's default recipe must show real transfer learning without a network connection. So its source
task is made here: letters from the DejaVu fonts that matplotlib ships, slanted, bent, thickened,
blurred, and seen through as few as 8 x 8 pixels. No digit is ever drawn.

    python tools/pretrain_glyphs.py --pictures 200000

draws the pictures (4 KB of memory each), trains on each of them once, and writes the backbone's
weights as float16 to components/trainer/weights/glyphs.npz, whose README.md has the figures.
`--sheet letters.png` only draws a sheet to look at.
"""

import functools
import io
import math
import multiprocessing
import os
import string
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from components.files import write_atomically

WEIGHTS_FILE = Path(__file__).parents[1] / "components" / "trainer" / "weights" / "glyphs.npz"

# O and o are the shape of a zero, I and l that of a one (in sans-serif faces to the pixel), so
# drawing them would be drawing digits. Letters that only resemble one (Z, S, B, b, q) stay: where
# they differ from it is what the network learns to see.
DIGIT_SHAPED = "OoIl"
# A capital that is its small letter enlarged cannot be told from it in a box that the letter fills.
SAME_IN_BOTH_CASES = "CSVWXZ"

FONTS = tuple(
    f"DejaVu{family}.ttf"
    for family in (
        *("Sans", "Sans-Bold", "Sans-Oblique", "Sans-BoldOblique"),
        *("SansMono", "SansMono-Bold", "SansMono-Oblique", "SansMono-BoldOblique"),
        *("Serif", "Serif-Bold", "Serif-Italic", "Serif-BoldItalic"),
    )
)

SIZE = 64  # side of a picture, pixels
ALPHA = 0.35  # MobileNetV2's width multiplier
_FONT_PX = 48
_GRID = 4  # a letter is bent in this many cells per side
_HELD_OUT = 10_000
_CHUNK = 1_000


def letter_classes() -> tuple[str, ...]:
    """The classes; each is a string of the letters that belong to it: `A`, …, `Cc`, …, `z`."""
    singles = (
        letter
        for letter in string.ascii_letters
        if letter not in DIGIT_SHAPED and letter.upper() not in SAME_IN_BOTH_CASES
    )
    pairs = (letter + letter.lower() for letter in SAME_IN_BOTH_CASES)
    return tuple(sorted((*singles, *pairs)))


@functools.cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(
        os.path.join(matplotlib.get_data_path(), "fonts", "ttf", name), _FONT_PX
    )


@functools.cache
def _letter_mask(letter: str, font: str, stroke: int) -> Image.Image:
    """The letter, white on black and cut to its own box (mode L, 0..255)."""
    left, top, right, bottom = _font(font).getbbox(letter, stroke_width=stroke)
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).text((-left, -top), letter, 255, _font(font), stroke_width=stroke)
    return mask


def _bent(mask: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The letter in a SIZE x SIZE picture, under a random affine map and a gentle bend."""
    height = SIZE * rng.uniform(0.75, 1.1)
    width = min(height * mask.width / mask.height * rng.uniform(0.6, 1.2), SIZE * 1.05)
    angle, shear = rng.normal(0, 0.15), rng.normal(0, 0.2)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    letter_to_picture = turn @ np.array([[width, -shear * height], [0, height]])
    centre = SIZE / 2 + rng.normal(0, 0.04, 2) * SIZE

    edges = np.linspace(0, SIZE, _GRID + 1)
    nodes = np.stack(np.meshgrid(edges, edges), axis=-1)  # [row, column, (x, y)] in the picture
    bend = rng.normal(0, rng.uniform(0, 0.07), nodes.shape)
    source = (nodes - centre) @ np.linalg.inv(letter_to_picture).T + 0.5 + bend
    source *= (mask.width, mask.height)
    mesh = [
        (
            tuple(int(v) for v in (*nodes[row, col], *nodes[row + 1, col + 1])),
            # Pillow's order of a cell's corners: upper left, lower left, lower right, upper right.
            tuple(
                float(v)
                for r, c in ((row, col), (row + 1, col), (row + 1, col + 1), (row, col + 1))
                for v in source[r, c]
            ),
        )
        for row in range(_GRID)
        for col in range(_GRID)
    ]
    return mask.transform(
        (SIZE, SIZE), Image.Transform.MESH, mesh, resample=Image.Resampling.BILINEAR
    )


def _colours(rng: np.random.Generator) -> tuple[float, float]:
    """Background and ink, each 0..1: half the time black and white, else apart by 0.3 or more."""
    kind = rng.random()
    if kind < 0.5:
        return 0.0, 1.0
    if kind < 0.65:
        return 1.0, 0.0
    background = rng.uniform(0, 1)
    ink = rng.uniform(0, 1)
    while abs(ink - background) < 0.3:
        ink = rng.uniform(0, 1)
    return background, ink


def _on_background(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours a coverage map (float [n, n], 0..1); the result has the same shape and range."""
    background, foreground = _colours(rng)
    ground = np.full(ink.shape, background)
    if rng.random() < 0.2:
        ramp = np.linspace(-0.5, 0.5, len(ink))
        ground += rng.normal(0, 0.2) * ramp + rng.normal(0, 0.2) * ramp[:, None]
    picture = ground + ink * (foreground - ground)
    if rng.random() < 0.2:
        picture += rng.normal(0, rng.uniform(0, 0.1), ink.shape)
    return picture.clip(0, 1)


def draw(seed: int, index: int) -> tuple[np.ndarray, int]:
    """Draws picture number `index`: always the same one for the same (seed, index).

    Returns:
        The picture, uint8 [64, 64], 0..255, and its class, an index into `letter_classes()`.
    """
    rng = np.random.default_rng((seed, index))
    classes = letter_classes()
    label = int(rng.integers(len(classes)))
    letter = str(rng.choice(list(classes[label])))
    font = FONTS[rng.integers(len(FONTS))]
    stroke = 0 if "Bold" in font else int(rng.integers(0, 4))
    picture = _bent(_letter_mask(letter, font, stroke), rng)
    if rng.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 3)))
    # Few pixels, as small cameras and old scans give: half of the pictures have 8 to 10 per side.
    side = int(rng.integers(8, 11) if rng.random() < 0.5 else rng.integers(11, 25))
    picture = picture.resize((side, side), Image.Resampling.BOX)
    ink = np.asarray(picture, np.float64) / 255
    ink = (ink * rng.uniform(0.8, 1.5)).clip(0, 1) ** rng.uniform(0.7, 1.4)
    coloured = np.round(_on_background(ink, rng) * 255).astype(np.uint8)
    return np.asarray(
        Image.fromarray(coloured).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    ), label


def _draw_range(part: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    seed, start, stop = part
    pictures, labels = zip(*(draw(seed, index) for index in range(start, stop)), strict=True)
    return np.stack(pictures), np.array(labels, np.int32)


def draw_many(seed: int, count: int, processes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws pictures 0 to count - 1 in several processes.

    Returns:
        The pictures, uint8 [count, 64, 64], 0..255, and their classes, int32 [count].
    """
    pictures = np.empty((count, SIZE, SIZE), np.uint8)
    labels = np.empty(count, np.int32)
    ranges = [(seed, at, min(at + _CHUNK, count)) for at in range(0, count, _CHUNK)]
    # spawn: a fork copies whatever threads the parent's libraries hold.
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        parts = pool.imap(_draw_range, ranges)
        for (_, start, stop), (drawn, classes) in zip(ranges, parts, strict=True):
            pictures[start:stop], labels[start:stop] = drawn, classes
    return pictures, labels


def _dataset(pictures: np.ndarray, labels: np.ndarray, batch_size: int):
    """Batches of (float32 [batch, 64, 64, 3] in -1..1, int32 [batch]), in the order given."""
    import tensorflow as tf

    def batches():
        # Slices of the array, not from_tensor_slices: that would hold gigabytes a second time.
        for start in range(0, len(pictures), batch_size):
            yield pictures[start : start + batch_size], labels[start : start + batch_size]

    def to_inputs(grey, label):
        scaled = tf.cast(grey, tf.float32)[..., None] / 127.5 - 1.0
        return tf.repeat(scaled, 3, axis=-1), label

    signature = (
        tf.TensorSpec((None, SIZE, SIZE), tf.uint8),
        tf.TensorSpec((None,), tf.int32),
    )
    counted = tf.data.experimental.assert_cardinality(math.ceil(len(pictures) / batch_size))
    drawn = tf.data.Dataset.from_generator(batches, output_signature=signature).apply(counted)
    return drawn.map(to_inputs).prefetch(4)


def build_backbone():
    """An untrained MobileNetV2: float32 [batch, 64, 64, 3] in -1..1 to float32 [batch, 1280]."""
    import keras

    backbone = keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, 3), alpha=ALPHA, include_top=False, weights=None, pooling="avg"
    )
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # Keras' 0.999 needs many thousand steps until the moving statistics are true.
            layer.momentum = 0.98
    return backbone


def train(backbone, pictures: np.ndarray, labels: np.ndarray, *, epochs, batch_size, rate):
    """Trains the backbone under a softmax over the letters; gives the whole classifier."""
    import keras

    steps = epochs * math.ceil(len(pictures) / batch_size)
    warmup = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 10, steps - warmup, warmup_target=rate, warmup_steps=warmup, alpha=0.001
    )
    classifier = keras.Sequential(
        [backbone, keras.layers.Dropout(0.2), keras.layers.Dense(len(letter_classes()))]
    )
    classifier.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-2),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # XLA takes many minutes to compile this network for a CPU
    )
    classifier.fit(_dataset(pictures, labels, batch_size), epochs=epochs, verbose=2)
    return classifier


def save_weights(backbone, path: Path) -> None:
    """Writes every weight as float16 under its Keras path, whole or not at all."""
    with np.errstate(over="ignore"):  # what is too large is told below, by its name
        arrays = {weight.path: weight.numpy().astype(np.float16) for weight in backbone.weights}
    assert len(arrays) == len(backbone.weights), "two weights share a path"
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} does not fit into float16; train with another seed or rate")
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, file.getvalue())


def load_weights(backbone, path: Path) -> None:
    """Puts the arrays of `save_weights` into a backbone of the same architecture."""
    with np.load(path, allow_pickle=False) as arrays:
        for weight in backbone.weights:
            weight.assign(arrays[weight.path].astype(np.float32))


def _sheet(seed: int, path: Path) -> None:
    pictures, _ = _draw_range((seed, 0, 200))
    rows = pictures.reshape(10, 20, SIZE, SIZE).transpose(0, 2, 1, 3)
    Image.fromarray(rows.reshape(10 * SIZE, 20 * SIZE)).save(path)


def main(
    pictures: Annotated[int, typer.Option(min=1000, help="Letters to draw.")] = 200_000,
    epochs: Annotated[int, typer.Option(min=1, help="Times that each letter is seen.")] = 1,
    batch_size: Annotated[int, typer.Option(min=2, help="Letters per training step.")] = 128,
    rate: Annotated[float, typer.Option(help="Highest learning rate of the schedule.")] = 3e-3,
    seed: Annotated[int, typer.Option(help="Seed of the drawings and of the training.")] = 7,
    processes: Annotated[int, typer.Option(min=1, help="Processes that draw.")] = 2,
    output: Annotated[
        Path, typer.Option(help="Where the weights go.", show_default="in this checkout")
    ] = WEIGHTS_FILE,
    sheet: Annotated[
        Path | None, typer.Option(help="Only draw 200 letters into this picture.")
    ] = None,
) -> None:
    """Draws letters, trains MobileNetV2 (alpha 0.35, 64 px) on them, writes float16 weights."""
    if sheet is not None:
        _sheet(seed, sheet)
        return
    started = time.monotonic()
    drawn, labels = draw_many(seed, pictures + _HELD_OUT, processes)
    print(f"{len(drawn)} letters drawn in {time.monotonic() - started:.0f} s", flush=True)

    import keras

    keras.utils.set_random_seed(seed)
    backbone = build_backbone()
    classifier = train(
        backbone,
        drawn[:pictures],
        labels[:pictures],
        epochs=epochs,
        batch_size=batch_size,
        rate=rate,
    )
    held_out = _dataset(drawn[pictures:], labels[pictures:], 250).cache()
    _, exact = classifier.evaluate(held_out, verbose=0)
    features = backbone.predict(held_out, verbose=0)
    save_weights(backbone, output)
    load_weights(backbone, output)
    _, rounded = classifier.evaluate(held_out, verbose=0)
    change = np.abs(backbone.predict(held_out, verbose=0) - features).max() / features.max()
    print(
        f"held-out letters ({_HELD_OUT}): {exact:.4f} in float32, {rounded:.4f} from the file; "
        f"largest change of a feature {change:.2%} of the largest feature\n"
        f"{output}: {output.stat().st_size / 1e6:.2f} MB, {time.monotonic() - started:.0f} s in all"
    )


if __name__ == "__main__":
    typer.run(main)
