"""Finds the pictures that are copies of one another, but for size, compression, light or a turn.

Hashes propose pairs, pixels confirm them. A group is a first picture and those that were confirmed
against it; that a is like b and b like c does not make c like a. Time and memory grow with the
number of pictures, not with that of pairs: only the first ones of groups are looked for.
"""

import collections
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from components.example_gen.inspection import perceptual_hash

# Smaller pictures look too much alike: of scikit-learn's digits, 8 x 8 pixels, 1,305 pairs have
# the correlation below.
MIN_SIDE = 32

# Differing bits of 64 that a pair may have, and the correlation of pixels that it must exceed. Of
# photos in JPEG quality 30, at half size, 30 % darker or lighter, or with 2 % cut off each side,
# nearly all are found; among 3,000 photos of cats and dogs the only pair is a true one, and the
# next best proposal has a correlation of 0.75.
_MAX_DISTANCE = 10
_MIN_CORRELATION = 0.9

# Pictures are compared whose hashes agree in four of their sixteen hexadecimal digits. With this
# many of the 1,820 choices of four, a pair that differs in 8 bits is all but certain to be
# compared, one that differs in 10 with a probability of 0.99.
_BANDS = 192
_DIGITS, _DIGITS_PER_BAND = 16, 4
_KEYS = 16**_DIGITS_PER_BAND
# A picture is compared with this many of those that it shares a band's digits with.
_MOST_PER_BAND = 64
_PAIRS_AT_ONCE = 4096
_BITS_SET = np.array([bin(value).count("1") for value in range(1 << 16)], np.uint8)


class _Groups:
    """Groups of pictures by number, each held by its first.

    Attributes:
        firsts: See `near_groups`.
        first_of: int64 [pictures], the first picture of each one's group.
    """

    def __init__(self, number: int, is_alike: Callable[[int, int], bool]):
        """Makes a group of each picture.

        Args:
            number: Of pictures.
            is_alike: Says of two pictures whether the second is like the first.
        """
        self.firsts: dict[int, set[int]] = {}
        self.first_of = np.arange(number)
        self._followers: dict[int, set[int]] = collections.defaultdict(set)
        self._is_alike = is_alike

    def join(self, first: int, picture: int) -> None:
        """Puts a picture into the group of an earlier one that it is like.

        Args:
            first: The earlier picture; nothing happens if it is not the first of its group.
            picture: The later one. Those that it was the first of are put to the test again.
        """
        if first in self.firsts:
            return
        self._follow(picture, self.firsts.get(picture, set()) | {first})
        for follower in sorted(self._followers.pop(picture, ())):
            others = self.firsts[follower] - {picture}
            if self._is_alike(first, follower):
                others.add(first)
            self._follow(follower, others)

    def _follow(self, picture: int, firsts: set[int]) -> None:
        self.firsts.pop(picture, None)
        if firsts:
            self.firsts[picture] = firsts
        for first in firsts:
            self._followers[first].add(picture)
        self.first_of[picture] = min(firsts, default=picture)


def near_groups(hashes: np.ndarray, thumbnails: np.ndarray) -> dict[int, set[int]]:
    """Groups pictures that look alike.

    Args:
        hashes: uint64 [pictures, 8], see `perceptual_hash.hashes`.
        thumbnails: uint8 [pictures, 16, 16]. A picture without contrast is like no other.

    Returns:
        For each picture that is like an earlier one, the first pictures of all groups that it is
        like; it belongs to the earliest of them. No first picture has an entry of its own.
    """
    # Form after form, so that the first are those of the pictures as they are.
    by_form = np.ascontiguousarray(hashes.T).ravel()
    digits = [
        ((by_form >> np.uint64(4 * n)) & np.uint64(15)).astype(np.uint16) for n in range(_DIGITS)
    ]

    def is_alike(first: int, picture: int) -> bool:
        pairs = [(first, picture, form) for form in range(perceptual_hash.FORMS)]
        return bool(_correlated(np.array(pairs), thumbnails).any())

    groups = _Groups(len(hashes), is_alike)
    for band in _bands():
        key = np.zeros(len(by_form), np.uint16)
        for digit in band:
            key = (key << np.uint16(4)) | digits[digit]
        firsts = np.flatnonzero(groups.first_of == np.arange(len(hashes)))
        for pairs in _same_key(key, firsts, len(hashes)):
            earlier, later, form = pairs.T
            # What these pairs are looked for among has changed with the last ones.
            is_new = (groups.first_of[earlier] == earlier) & (groups.first_of[later] != earlier)
            is_near = _distance(hashes[earlier, 0], hashes[later, form]) <= _MAX_DISTANCE
            pairs = pairs[is_new & is_near]
            pairs = pairs[_correlated(pairs, thumbnails)]
            for first, picture in sorted({(int(a), int(b)) for a, b, _ in pairs}):
                groups.join(first, picture)
    return groups.firsts


def _bands() -> np.ndarray:
    """The digits of each band: the same on every machine."""
    choices = np.array(list(itertools.combinations(range(_DIGITS), _DIGITS_PER_BAND)))
    return np.random.default_rng(0).permutation(choices)[:_BANDS]


def _same_key(key: np.ndarray, firsts: np.ndarray, number: int) -> Iterator[np.ndarray]:
    """Pairs of a first picture and a form of a later one that have the same key.

    Args:
        key: uint16 [8 x pictures], form after form.
        firsts: The pictures to look for, ascending.
        number: Of pictures.

    Yields:
        int64 [n, 3]: earlier picture, later picture, form of the later one.
    """
    order = firsts[np.argsort(key[firsts], kind="stable")]
    size = np.bincount(key[firsts], minlength=_KEYS)
    start = np.cumsum(size) - size
    asked = np.flatnonzero(size[key])
    for place in range(_MOST_PER_BAND):
        asked = asked[size[key[asked]] > place]
        found = order[start[key[asked]] + place]
        is_later = asked % number > found
        # Those behind in the same place are later still.
        asked, found = asked[is_later], found[is_later]
        if not asked.size:
            return
        yield np.stack([found, asked % number, asked // number], axis=1)


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Number of differing bits, of uint64 [n] each."""
    differing = (one ^ other).view(np.uint16).reshape(-1, 4)
    return _BITS_SET[differing].sum(axis=1)


def _correlated(pairs: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    """Whether the pixels of pairs, int64 [n, 3] as `_same_key` gives them, agree: bool [n]."""
    agree = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        earlier, later, form = pairs[start : start + _PAIRS_AT_ONCE].T
        one = _standardised(thumbnails[earlier])
        other = thumbnails[later]
        for number in range(perceptual_hash.FORMS):
            chosen = form == number
            other[chosen] = perceptual_hash.turned(other[chosen], number)
        correlation = (one * _standardised(other)).sum(axis=(1, 2))
        agree[start : start + _PAIRS_AT_ONCE] = correlation > _MIN_CORRELATION
    return agree


def _standardised(thumbnails: np.ndarray) -> np.ndarray:
    """float32 [n, side, side] of mean 0 and norm 1; all 0 without contrast."""
    centred = thumbnails - thumbnails.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    norm = np.sqrt(np.square(centred).sum(axis=(1, 2), keepdims=True))
    return centred / np.maximum(norm, 1e-6)
