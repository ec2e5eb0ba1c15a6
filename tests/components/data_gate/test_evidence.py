"""What stays with a version, and what is made of it when it is damaged."""

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import features
from components.data_gate.evidence import read_evidence, write_evidence
from components.data_gate.pictures import fact_names, fingerprint, in_split, read_pictures
from components.example_gen.inspection import picture_table


@pytest.fixture
def evidence(pictures, examples, tmp_path):
    """A folder of evidence."""
    statistics = tmp_path / "statistics"
    (statistics / "Split-train").mkdir(parents=True)
    (statistics / "Split-train" / "FeatureStats.pb").write_bytes(b"stats")
    table = pictures()
    write_evidence(tmp_path / "evidence", examples(table), statistics, table)
    return tmp_path / "evidence"


def test_it_comes_back(evidence, pictures):
    served = read_evidence(evidence, "3")
    assert served.version == "3" and served.pictures.equals(pictures())
    assert served.test_fingerprint == fingerprint(in_split(pictures(), "test"))
    assert (evidence / "statistics" / "Split-train" / "FeatureStats.pb").read_bytes() == b"stats"
    record = json.loads((evidence / "test_split.json").read_text())
    assert record == {"fingerprint": served.test_fingerprint, "pictures": 100}


def test_what_an_earlier_attempt_left_is_replaced(evidence, pictures, examples, tmp_path):
    (evidence / "of an earlier attempt").touch()
    table = pictures(50)
    write_evidence(evidence, examples(table), tmp_path / "statistics", table)
    names = {path.name for path in evidence.iterdir()}
    assert names == {"pictures.parquet", "statistics", "test_split.json"}
    assert read_evidence(evidence, "3").pictures.equals(table)


def test_a_version_of_an_earlier_release_has_none(tmp_path):
    with pytest.raises(ValueError, match=r"^version 3 was pushed without evidence of its data$"):
        read_evidence(tmp_path / "none", "3")


def damage_file(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def cut(folder):
    path = folder / "pictures.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def scramble(folder):
    path = folder / "pictures.parquet"
    content = bytearray(path.read_bytes())
    content[200:1200] = b"x" * 1000
    path.write_bytes(content)


def no_labels(folder):
    table = pq.read_table(folder / "pictures.parquet").drop(["label", "group"])
    pq.write_table(table, folder / "pictures.parquet")


def no_rows(folder):
    pq.write_table(
        pq.read_table(folder / "pictures.parquet").slice(0, 0), folder / "pictures.parquet"
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_file("pictures.parquet", b""), r"pictures\.parquet is damaged"),
        (damage_file("pictures.parquet", b"PAR1" * 100), r"pictures\.parquet is damaged"),
        (cut, r"pictures\.parquet is damaged"),
        (scramble, r"pictures\.parquet is damaged"),
        (no_labels, r"pictures\.parquet is damaged: it has no column group, label"),
        (no_rows, r"pictures\.parquet holds no labelled picture"),
        (lambda folder: (folder / "pictures.parquet").unlink(), r"pictures\.parquet is missing"),
        (lambda folder: (folder / "test_split.json").unlink(), r"test_split\.json is damaged"),
        (damage_file("test_split.json", b"\xff{"), r"test_split\.json is damaged"),
        (damage_file("test_split.json", b"[]"), r"test_split\.json is damaged"),
    ],
)
def test_damaged_evidence_is_one_line(evidence, damage, message):
    damage(evidence)
    with pytest.raises(
        ValueError, match=f"the evidence of version 3 cannot be used: .*{message}"
    ) as e:
        read_evidence(evidence, "3")
    assert "\n" not in str(e.value) and len(str(e.value)) < 400


def test_the_fingerprint_of_a_split_does_not_depend_on_the_order_of_its_pictures(pictures):
    table = pictures()
    assert fingerprint(table[::-1]) == fingerprint(table)
    assert fingerprint(table.assign(label="cat")) != fingerprint(table)
    assert re.fullmatch("[0-9a-f]{64}", fingerprint(table))


def test_unlabelled_pictures_are_left_out(pictures, examples):
    table = pictures(10, split=["unlabelled"] * 4 + ["train"] * 6)
    assert len(read_pictures(examples(table))) == 6


def test_the_table_is_the_one_that_ingestion_writes(tmp_path):
    """Names and types are told twice, because components share nothing."""
    schema = picture_table._published(["column_site"])
    row = [{field.name: "train" if pa.types.is_string(field.type) else 1 for field in schema}]
    pq.write_table(pa.Table.from_pylist(row, schema), tmp_path / features.PICTURES_FILE)
    facts = fact_names(read_pictures(tmp_path))
    assert facts == [field.name for field in picture_table._FACTS]
