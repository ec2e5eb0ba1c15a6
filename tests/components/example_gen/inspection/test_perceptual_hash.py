import numpy as np
import pytest
from PIL import Image

from components.example_gen.inspection import perceptual_hash


def _thumbnail(seed: int, side: int = 32) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BILINEAR))


@pytest.mark.parametrize(
    ("seed", "expected"),
    [(0, "b4a919cefca1b05c"), (1, "d421e1bcf6f3250c"), (2, "fc539c790bc91634")],
)
def test_it_is_the_phash_of_imagehash(seed, expected):
    assert f"{perceptual_hash.hashes(_thumbnail(seed))[0]:016x}" == expected  # by 4.3.2


@pytest.mark.parametrize("seed", range(5))
def test_the_hashes_of_a_picture_are_those_of_its_forms(seed):
    thumbnail = _thumbnail(seed)
    hashes = perceptual_hash.hashes(thumbnail)
    for form in range(perceptual_hash.FORMS):
        turned = perceptual_hash.turned(thumbnail, form)
        assert perceptual_hash.hashes(turned)[0] == hashes[form]


def test_the_forms_are_all_mirror_images_and_quarter_turns():
    image = Image.fromarray(_thumbnail(1))
    expected = {image.tobytes(), *(image.transpose(t).tobytes() for t in Image.Transpose)}
    forms = [perceptual_hash.turned(np.asarray(image), form) for form in range(8)]
    assert len(expected) == 8 and {form.tobytes() for form in forms} == expected
    np.testing.assert_array_equal(forms[0], np.asarray(image))


def test_thumbnails_are_grey_and_show_the_same():
    image = Image.fromarray(_thumbnail(4, 200)).convert("RGB")
    hashed, compared = perceptual_hash.thumbnails(image)
    assert (hashed.shape, compared.shape) == ((32, 32), (16, 16))
    pairs = hashed.reshape(16, 2, 16, 2).astype(float).mean(axis=(1, 3))
    assert np.abs(compared - pairs).max() <= 1


def test_every_pixel_has_a_part_in_the_thumbnails():
    board = Image.fromarray((np.indices((128, 64)).sum(axis=0) % 2 * 255).astype(np.uint8))
    for thumbnail in perceptual_hash.thumbnails(board.convert("RGB")):
        assert set(np.unique(thumbnail)) <= {127, 128}
