"""Tables of pictures as ImageExampleGen leaves them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def pictures():
    """`pictures(n, seed=…, **columns)`: n pictures of two classes, 60 % of them for training."""

    splits = ["train", "train", "train", "validation", "test"]

    def make(n: int = 500, seed: int = 0, **columns) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        ids = [f"{seed}-{row}" for row in range(n)]
        return pd.DataFrame(
            {
                "image_id": ids,
                "path": [f"{('dog', 'cat')[row % 2]}/{row}.jpg" for row in range(n)],
                "group": ids,
                "label": ["cat" if row % 2 else "dog" for row in range(n)],
                "split": [splits[row % 5] for row in range(n)],
                "width": rng.integers(200, 400, n),
                "format": rng.choice(["JPEG", "PNG"], n, p=[0.9, 0.1]),
                "orientation": rng.choice([1, 6], n, p=[0.8, 0.2]),
                "brightness": rng.normal(120, 20, n).astype(np.float32),
                "column_site": [f"site {row}" for row in range(n)],
                **columns,
            }
        )

    return make


@pytest.fixture
def examples(tmp_path):
    """`examples(table, quarantined=0)` writes a folder of examples; gives its path."""

    def write(table: pd.DataFrame, quarantined: int = 0, name: str = "examples") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        table.to_parquet(folder / "pictures.parquet")
        summary = {"total": len(table), "quarantined": quarantined}
        (folder / "summary.json").write_text(json.dumps(summary))
        return folder

    return write
