"""What stays with a pushed version of the data that it was trained and judged on.

<data_blessing>/evidence/pictures.parquet                a row per picture
<data_blessing>/evidence/statistics/Split-*/...          TFDV's statistics
<data_blessing>/evidence/test_split.json                 {"fingerprint": …, "pictures": …}

The Pusher lays it beside the versions, and the BaselineFinder hands on that of the served one.
"""

import dataclasses
import json
import shutil
from pathlib import Path

import pandas as pd

from components import features
from components.data_gate.pictures import (
    fingerprint,
    in_split,
    read_pictures,
)
from components.errors import UserError
from components.files import write_atomically
from components.text import one_line

STATISTICS = "statistics"
TEST_SPLIT_FILE = "test_split.json"
_FINGERPRINT = "fingerprint"


@dataclasses.dataclass(frozen=True)
class Served:
    """The data of the served model.

    Attributes:
        version: name of the served version.
        pictures: as `read_pictures` gives them.
        test_fingerprint: of the pictures that it was judged on.
    """

    version: str
    pictures: pd.DataFrame
    test_fingerprint: str


def write_evidence(folder: Path, examples: Path, statistics: Path, pictures: pd.DataFrame) -> None:
    """Fills a folder of evidence.

    Args:
        folder: what an earlier attempt left there is replaced.
        examples: folder of the examples.
        statistics: folder of their statistics.
        pictures: the rows of the examples.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(statistics, folder / STATISTICS)
    shutil.copyfile(examples / features.PICTURES_FILE, folder / features.PICTURES_FILE)
    test = in_split(pictures, features.TEST)
    record = {_FINGERPRINT: fingerprint(test), "pictures": len(test)}
    write_atomically(folder / TEST_SPLIT_FILE, json.dumps(record, indent=2))


def read_evidence(folder: Path, version: str) -> Served:
    """Reads what `write_evidence` left when a version was pushed.

    Args:
        folder: of the version's evidence.
        version: its name.

    Raises:
        UserError: there is none, as from an earlier release, or it is damaged.
    """
    if not (folder / features.PICTURES_FILE).exists() and not (folder / TEST_SPLIT_FILE).exists():
        raise UserError(f"version {version} was pushed without evidence of its data")
    try:
        record = json.loads((folder / TEST_SPLIT_FILE).read_text(encoding="utf-8"))
        return Served(version, read_pictures(folder), str(record[_FINGERPRINT]))
    except UserError as error:
        raise UserError(f"the evidence of version {version} cannot be used: {error}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"the evidence of version {version} cannot be used: {folder / TEST_SPLIT_FILE} is "
            f"damaged: {one_line(error, 100)}"
        ) from error
