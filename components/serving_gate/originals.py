"""Whether a client's own file gets the answer of the picture that people see in it.

The reference is Pillow's decoding, upright, as a PNG, which goes through the same graph from there:
only what the graph makes of format, colour mode, size and Exif orientation can make a difference.
"""

import io
import itertools
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from PIL import Image

from components import features
from components.picture_formats import JPEG_RATIOS, format_of
from components.pillow_pictures import open_picture, orientation_exif, upright_rgb
from components.serving_gate.contract import Client, ContractError, Finding, gets_answer

# What a camera does to the upright picture, by the Exif orientation that undoes it.
_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
# JPEG's blocks: where each is of one colour, compression changes no pixel, however they are turned.
_SQUARE = 8
_SQUARES = 40  # along a side: 320 pixels, more than most networks look at
_LEAST_SIDE = 64  # twice that of the smallest network
# What a network's graph is likely to decode; more takes longer and is tried later.
_LIKELY_PIXELS = 512 * 512
# Nothing is gained by compressing what is sent once.
_PNG = {"format": "PNG", "compress_level": 0}
_JPEG = {"format": "JPEG", "quality": 100, "subsampling": 0}


def check_originals(client: Client) -> Finding:
    """Files as the source has them get the answers of what Pillow shows; others are refused."""
    if not client.originals:
        raise ContractError("there is no original file of the test split")
    worst, where, compared = 0.0, "", 0
    refused: Counter[str] = Counter()
    for name, data in client.originals.items():
        kind = name.rpartition(".")[2].upper()
        if format_of(data) is None and not gets_answer(client, data):
            refused[kind] += 1
            continue
        tolerance = client.settings["original_tolerance"]
        off = None
        for reference in _references(data):
            answers = _answers(client, name, data, reference)
            # What is no number agrees with nothing.
            apart = float(np.nan_to_num(np.abs(answers[0] - answers[1]), nan=np.inf).max())
            off = apart if off is None else min(off, apart)
            if off <= tolerance:
                break
        if off is None:  # Pillow cannot tell
            continue
        compared += 1
        if off > worst:
            worst, where = off, f" ({name})"
    message = f"{compared} files differ from what Pillow shows by {worst:.1e} at most{where}"
    if refused:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(refused.items()))
        message += f"; refused, as agreed: {kinds}"
    return worst, client.settings["original_tolerance"], message


def check_orientations(client: Client) -> Finding:
    """A picture stored in the eight orientations of Exif, either byte order, gets one answer.

    It is the picture that the model is least sure of, which shows a difference best, as a mosaic.
    """
    sure = client.probabilities(features.SERVING_SIGNATURE, client.pictures).max(axis=1)
    least_sure_first = (client.pictures[index] for index in sure.argsort())
    picture = next(filter(None, map(_mosaic, least_sure_first)), None)
    if picture is None:
        raise ContractError("Pillow can read none of the pictures")
    ways = [*itertools.product(range(1, 9), "<>")]
    off = 0.0
    for options in (_JPEG, _PNG):
        files = [_encoded(picture, options), *(_encoded(picture, options, *way) for way in ways)]
        answers = client.probabilities(features.SERVING_SIGNATURE, files)
        off = max(off, float(np.nan_to_num(np.abs(answers - answers[0]), nan=np.inf).max()))
    message = f"{len(ways)} JPEGs and {len(ways)} PNGs of one picture differ by {off:.1e} at most"
    return off, client.settings["parity_tolerance"], message


def _answers(client: Client, name: str, data: bytes, reference: bytes) -> np.ndarray:
    try:
        return client.probabilities(features.SERVING_SIGNATURE, [data, reference])
    except tf.errors.OpError as error:
        raise ContractError(f"{name} is refused: {error.message}") from error


def _references(data: bytes) -> Iterator[bytes]:
    """PNGs of the picture that Pillow shows; none where it cannot tell.

    Of a JPEG there is one for each fraction of its size that a graph may decode it at, which moves
    a probability by 0.03 where the model is unsure.
    """
    try:
        for fraction in _fractions(data):
            with open_picture(data) as image:
                # Of a GIF whose first frame is smaller TensorFlow takes the frame alone.
                if image.format == "GIF" and tuple(image.tile[0][1]) != (0, 0, *image.size):
                    return
                if fraction > 1:
                    image.draft(None, [side // fraction for side in image.size])
                yield _encoded(upright_rgb(image), _PNG)
    except Exception:  # Pillow may raise nearly anything where TensorFlow reads on
        return


def _fractions(data: bytes) -> list[int]:
    """What a graph may divide the sides by while it decodes, the most likely first."""
    if format_of(data) != "JPEG":
        return [1]
    with open_picture(data) as image:
        width, height = image.size
    fractions = [f for f in JPEG_RATIOS if f == 1 or min(width, height) // f >= _LEAST_SIDE]
    return sorted(fractions, key=lambda f: abs(math.log(width * height / f**2 / _LIKELY_PIXELS)))


def _mosaic(data: bytes) -> Image.Image | None:
    """An encoded picture in squares of one colour each; None where Pillow cannot read it."""
    try:
        with open_picture(data) as image:
            small = upright_rgb(image)
    except Exception:  # see _references
        return None
    small.thumbnail((_SQUARES, _SQUARES))
    return small.resize([_SQUARE * side for side in small.size], Image.Resampling.NEAREST)


def _encoded(
    upright: Image.Image, options: dict, orientation: int = 1, byte_order: str = ""
) -> bytes:
    """A file of a picture, stored as a camera would that says the orientation.

    Args:
        upright: the picture.
        options: for `Image.save`.
        orientation: 1 to 8.
        byte_order: of the Exif structure, as `struct` has it; empty: there is none.
    """
    exif = orientation_exif(orientation, byte_order) if byte_order else b""
    turn = _STORED.get(orientation)
    stored = upright if turn is None else upright.transpose(turn)
    file = io.BytesIO()
    stored.save(file, exif=exif, **options)
    return file.getvalue()
