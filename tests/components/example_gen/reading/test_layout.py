"""What the names of files and folders mean."""

import pytest

from components.example_gen.reading import layout

pytestmark = pytest.mark.one_line


def test_pictures_that_will_be_converted_are_counted_by_format():
    names = ["a.TIF", "b.tiff", "c.webp", "d.heic", "e.heif", "f.bmp", "g.jpg", "h.gif", "i.txt"]
    counts = layout.count_converted(names)
    assert list(counts.items()) == [("BMP", 1), ("HEIC", 2), ("TIFF", 2), ("WebP", 1)]


@pytest.mark.parametrize(
    "suffix",
    [*("jpg", "jpeg", "jpe", "jfif", "png", "gif"), *("bmp", "webp", "tif", "tiff", "heic", "JPG")],
)
def test_what_claims_to_be_a_picture(suffix):
    assert layout.is_picture(f"a.b/c.{suffix}")
    assert not layout.is_picture(f"c.{suffix}x") and not layout.is_picture(suffix)


def test_a_word_for_a_split_may_have_space_around_it():
    words = (" Train", "Training", "valid", "VAL", "validation\t", "test", "testing")
    assert [layout.split_name(word, "") for word in words] == [
        *("train", "train", "validation", "validation", "validation", "test", "test")
    ]


def test_a_class_is_composed_and_no_letter_becomes_another():
    assert layout.class_name("Ka\u0308tzchen", "label") == "K\u00e4tzchen"
    for name in ("\ufb01sh", "m\u00b2", "\uff21"):  # which NFKC would make fish, m2 and A of
        assert layout.class_name(name, "label") == name
