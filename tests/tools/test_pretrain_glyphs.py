"""The letters that the built-in network learns from, and the file that it is kept in."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def glyphs():
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(TOOLS))
    yield importlib.import_module("pretrain_glyphs")
    patch.undo()


def test_a_class_is_what_can_be_told_apart_and_is_no_digit(glyphs):
    classes = glyphs.letter_classes()
    letters = "".join(classes)
    assert len(classes) == 52 - 4 - 6 and list(classes) == sorted(classes)
    assert not set(letters) & set("OoIl") and len(letters) == len(set(letters)) == 48
    assert {name for name in classes if len(name) > 1} == {"Cc", "Ss", "Vv", "Ww", "Xx", "Zz"}


def test_a_picture_depends_on_seed_and_number_alone(glyphs):
    picture, label = glyphs.draw(7, 3)
    again, same = glyphs.draw(7, 3)
    assert picture.shape == (64, 64) and picture.dtype == np.uint8 and np.ptp(picture) > 0
    assert label == same and (picture == again).all()
    for other in (glyphs.draw(8, 3), glyphs.draw(7, 4)):
        assert (picture != other[0]).any()
    pictures, labels = glyphs._draw_range((7, 2, 5))
    assert pictures.shape == (3, 64, 64) and labels.dtype == np.int32
    assert (pictures[1] == picture).all() and labels[1] == label


def test_ink_can_be_told_from_its_ground(glyphs):
    rng = np.random.default_rng(0)
    pairs = np.array([glyphs._colours(rng) for _ in range(500)])
    assert pairs.min() >= 0 and pairs.max() <= 1
    assert np.abs(pairs[:, 0] - pairs[:, 1]).min() >= 0.3
    assert 0.4 < (pairs == (0.0, 1.0)).all(axis=1).mean() < 0.6, "half of them"
    for _ in range(50):
        coloured = glyphs._on_background(np.eye(8), rng)
        assert coloured.shape == (8, 8) and 0 <= coloured.min() <= coloured.max() <= 1


class Weight(SimpleNamespace):
    def numpy(self):
        return self.value

    def assign(self, value):
        self.value = value


def backbone(*values: float) -> SimpleNamespace:
    weights = [Weight(path=f"layer/{n}", value=np.float32([v])) for n, v in enumerate(values)]
    return SimpleNamespace(weights=weights)


def test_weights_come_back_rounded_to_half_precision(glyphs, tmp_path):
    path = tmp_path / "new" / "weights.npz"
    glyphs.save_weights(backbone(0.1, 2.0), path)
    loaded = backbone(0.0, 0.0)
    glyphs.load_weights(loaded, path)
    assert [weight.value.tolist() for weight in loaded.weights] == [[np.float16(0.1)], [2.0]]
    assert loaded.weights[0].value.dtype == np.float32


def test_weights_that_do_not_fit_are_named_and_nothing_is_written(glyphs, tmp_path):
    with pytest.raises(ValueError, match="layer/1 does not fit into float16"):
        glyphs.save_weights(backbone(0.1, 1e6), tmp_path / "weights.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_pictures_are_fed_in_their_order_as_the_network_expects_them(glyphs):
    pictures = np.zeros((5, 64, 64), np.uint8)
    pictures[4] = 255
    batches = list(glyphs._dataset(pictures, np.arange(5, dtype=np.int32), 2).as_numpy_iterator())
    assert [labels.tolist() for _, labels in batches] == [[0, 1], [2, 3], [4]]
    first, last = batches[0][0], batches[-1][0]
    assert first.shape == (2, 64, 64, 3) and first.dtype == np.float32
    assert (first == -1).all() and (last == 1).all()
