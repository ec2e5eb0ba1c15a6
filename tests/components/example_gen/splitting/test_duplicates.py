import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from components.example_gen.inspection import perceptual_hash
from components.example_gen.splitting import duplicates


def _photo(seed: int) -> Image.Image:
    """A picture with structure at several scales, different for each seed."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8)).resize(
                (120, 90), Image.Resampling.BICUBIC
            ),
            float,
        )
        for n in (3, 6, 12)
    ]
    return Image.fromarray((0.5 * layers[0] + 0.3 * layers[1] + 0.2 * layers[2]).astype(np.uint8))


def _groups(images: list[Image.Image]) -> dict[int, set[int]]:
    thumbnails = [perceptual_hash.thumbnails(image) for image in images]
    hashes = np.stack([perceptual_hash.hashes(hashed) for hashed, _ in thumbnails])
    return duplicates.near_groups(hashes, np.stack([compared for _, compared in thumbnails]))


def _jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=30)
    return Image.open(file)


_CHANGES = {
    "JPEG quality 30": _jpeg,
    "half size": lambda image: image.resize((60, 45)),
    "30 % darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "2 % cut off": lambda image: image.crop((2, 2, 118, 88)),
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned and mirrored": lambda image: ImageOps.mirror(
        image.transpose(Image.Transpose.ROTATE_270)
    ),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_altered_copies_are_found_and_nothing_else(change):
    photos = [_photo(seed) for seed in range(60)]
    copies = [_CHANGES[change](photo) for photo in photos[:20]]
    assert _groups(photos + copies) == {60 + number: {number} for number in range(20)}


def test_blank_pictures_are_like_no_other():
    blank = [Image.new("RGB", (64, 64), colour) for colour in ("white", "white", "black")]
    assert _groups([*blank, _photo(1)]) == {}


def _thumbnails(*rows: list[float]) -> np.ndarray:
    """Thumbnails that are mixtures of three uncorrelated ones, in these shares."""
    rng = np.random.default_rng(0)
    base = duplicates._standardised(rng.normal(size=(3, 16, 16)).astype(np.float32))
    mixed = np.tensordot(np.array(rows), base, axes=1)
    return np.round(128 + 400 * mixed).astype(np.uint8)


_EQUAL_HASHES = np.full((5, 8), 0x123456789ABCDEF0, np.uint64)


def test_there_is_no_chain_from_like_to_like():
    # Each is like its neighbours (correlation 0.93), the outer ones are not like each other (0.73).
    first, middle, last = (
        [np.cos(0.75), np.sin(0.75), 0],
        [np.cos(0.375), np.sin(0.375), 0],
        [1, 0, 0],
    )
    found = duplicates.near_groups(_EQUAL_HASHES[:3], _thumbnails(first, middle, last))
    assert found == {1: {0}}
    # The one in the middle is like two that lead groups of their own.
    found = duplicates.near_groups(_EQUAL_HASHES[:3], _thumbnails(first, last, middle))
    assert found == {2: {0, 1}}


def test_who_followed_one_that_joins_another_is_put_to_the_test_again():
    is_alike = {(0, 2): True, (0, 3): False}
    groups = duplicates._Groups(5, lambda first, picture: is_alike[first, picture])
    groups.join(1, 2)
    groups.join(1, 3)
    groups.join(1, 4)
    groups.join(0, 4)
    assert groups.firsts == {2: {1}, 3: {1}, 4: {0, 1}}
    assert groups.first_of.tolist() == [0, 1, 1, 1, 0], "of two groups it belongs to the earlier"
    is_alike[0, 4] = False  # found already, by another of its forms
    groups.join(0, 1)
    assert groups.firsts == {1: {0}, 2: {0}, 4: {0}}
    assert groups.first_of.tolist() == [0, 0, 0, 3, 0]
    groups.join(1, 3)  # no longer the first of a group
    assert 3 not in groups.firsts


def test_many_copies_of_one_picture_are_one_group():
    number = 1000
    hashes = np.tile(_EQUAL_HASHES[:1], (number, 1))
    thumbnails = np.tile(_thumbnails([1, 0, 0]), (number, 1, 1))
    found = duplicates.near_groups(hashes, thumbnails)
    assert found == {picture: {0} for picture in range(1, number)}


def test_pairs_among_many_hashes():
    rng = np.random.default_rng(0)
    number, planted = 4000, 100
    hashes = rng.integers(0, 2**63, (number, 8), dtype=np.uint64)
    thumbnails = rng.integers(0, 256, (number, 16, 16), dtype=np.uint8)
    for pair in range(planted):
        bits = rng.choice(64, 8, replace=False).astype(np.uint64)
        changed = np.bitwise_xor.reduce(np.uint64(1) << bits)
        hashes[number - 1 - pair, 5] = hashes[pair, 0] ^ changed
        # Form 5 transposes what was mirrored top-bottom: the other way round it is form 3.
        thumbnails[number - 1 - pair] = perceptual_hash.turned(thumbnails[pair], 3)
    found = duplicates.near_groups(hashes, thumbnails)
    assert found == {number - 1 - pair: {pair} for pair in range(planted)}


def test_equal_hashes_do_not_make_different_pixels_alike():
    assert duplicates.near_groups(_EQUAL_HASHES[:2], _thumbnails([1, 0, 0], [0, 1, 0])) == {}


def test_a_negative_is_no_copy():
    assert duplicates.near_groups(_EQUAL_HASHES[:2], _thumbnails([1, 0, 0], [-1, 0, 0])) == {}


@pytest.mark.parametrize(("differing", "is_copy"), [(0x3FF, True), (0x7FF, False)])
def test_hashes_may_differ_in_ten_bits(differing, is_copy):
    hashes = _EQUAL_HASHES[:2].copy()
    hashes[1] ^= np.uint64(differing)
    found = duplicates.near_groups(hashes, _thumbnails([1, 0, 0], [1, 0, 0]))
    assert found == ({1: {0}} if is_copy else {})


def test_each_pair_is_judged_by_itself_however_many_there_are(monkeypatch):
    monkeypatch.setattr(duplicates, "_PAIRS_AT_ONCE", 2)
    thumbnails = _thumbnails([1, 0, 0], [0, 1, 0], [1, 0.1, 0])
    pairs = np.array([(0, 1, 0), (0, 2, 0), (1, 2, 0), (0, 2, 0), (0, 2, 0)])
    assert duplicates._correlated(pairs, thumbnails).tolist() == [False, True, False, True, True]


def test_a_turned_copy_follows_its_picture_into_another_group(monkeypatch):
    # The third is found by the second, and the second by the first only after that.
    monkeypatch.setattr(duplicates, "_bands", lambda: np.array([[0, 1, 2, 3], [4, 5, 6, 7]]))
    picture = _thumbnails([1, 0, 0])[0]
    thumbnails = np.stack([picture, picture, perceptual_hash.turned(picture, 1)])
    hashes = np.random.default_rng(0).integers(0, 2**63, (3, 8), dtype=np.uint64)
    hashes[1, 0] = hashes[0, 0] ^ np.uint64(0xFF)
    hashes[2, 1] = hashes[1, 0] ^ np.uint64(0xFF << 48)
    assert duplicates.near_groups(hashes, thumbnails) == {1: {0}, 2: {0}}
