"""The pictures of a recipe as the commands read them."""

import pandas as pd
import pytest

from pipeline.commands.dataset import Dataset


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    """What ImageExampleGen leaves of five pictures, of which two have no label."""
    splits = ["unlabelled", "test", "unlabelled", "train", "train"]
    pd.DataFrame({"split": splits, "path": list("abcde")}).to_parquet(tmp_path / "pictures.parquet")
    for name in ("train/1", "train/0", "test/0", "unlabelled/0"):
        path = tmp_path / f"Split-{name}"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return Dataset(tmp_path, "graph")


def test_pictures_are_those_with_a_label_counted_from_0(dataset):
    rows = dataset.pictures()
    assert rows["path"].tolist() == ["b", "d", "e"] and rows.index.tolist() == [0, 1, 2]


def test_files_are_those_of_every_split_that_is_named(dataset):
    names = [f"{split}/{number}" for split, number in (("test", 0), ("train", 0), ("train", 1))]
    assert dataset.files("train", "test") == [f"{dataset.folder}/Split-{name}" for name in names]
    assert dataset.files("test") == [f"{dataset.folder}/Split-test/0"]
