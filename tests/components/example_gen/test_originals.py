from components.example_gen.originals import choose

PHOTO, TURNED, GREY = ("JPEG", 1, "RGB"), ("JPEG", 6, "RGB"), ("JPEG", 1, "L")


def test_every_kind_comes_before_the_second_of_any():
    kinds = [PHOTO] * 80 + [TURNED, GREY] + [("GIF", 1, "P")]
    rows = choose([f"{row:03d}" for row in range(83)], kinds, ["test"] * 83)
    assert len(rows) == 64
    assert {kinds[row] for row in rows[:4]} == set(kinds)
    assert choose([f"{row:03d}" for row in range(83)], kinds, ["test"] * 83, 5)[:4] == rows[:4]


def test_other_splits_and_copies_are_left_out():
    splits = ["train", "test", None, "test", "test", "validation"]
    assert choose(["a", "b", "c", "b", "d", "e"], [PHOTO] * 6, splits) == [3, 4]
