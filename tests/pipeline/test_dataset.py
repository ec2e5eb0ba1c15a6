"""The pictures of a recipe as the commands read them."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from pipeline import local_runner
from pipeline.commands.dataset import Dataset, read_dataset


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


def test_it_is_what_the_nodes_up_to_transform_left(monkeypatch):
    def run_up_to(node_id, *given):
        assert given == ("a recipe", "a listener", "what was found")
        found = {"examples": "/examples", "transform_graph": "/graph"}
        made = {key: [SimpleNamespace(uri=uri)] for key, uri in found.items()}
        return {"ImageExampleGen": made, node_id: made}

    monkeypatch.setattr(local_runner, "run_up_to", run_up_to)
    dataset = read_dataset("a recipe", "a listener", "what was found")
    assert dataset == Dataset(Path("/examples"), "/graph")
