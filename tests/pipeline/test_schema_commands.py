"""`graft schema`: what is inferred, and which anomalies are told."""

import dataclasses
import io
from types import SimpleNamespace

import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components import features
from components.errors import UserError
from components.example_gen.inspection.facts import Facts
from pipeline import local_runner, schema
from pipeline.commands import schema as command
from pipeline.config import load_recipe
from pipeline.console import make_console


def statistics(classes, brightness, number=200) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Of made-up pictures: as StatisticsGen describes them, less what nobody looks at."""
    found = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = found.datasets.add(num_examples=number)
    kinds = statistics_pb2.FeatureNameStatistics

    def feature(name, kind):
        one = dataset.features.add(type=kind)
        one.path.step.append(name)
        stats = one.string_stats if kind == kinds.STRING else one.num_stats
        common = stats.common_stats
        common.num_non_missing = common.tot_num_values = number
        common.min_num_values = common.max_num_values = 1
        common.avg_num_values = 1
        return one

    image = dataset.features.add(type=kinds.STRING)
    image.path.step.append(features.IMAGE)
    common = image.bytes_stats.common_stats
    common.num_non_missing = common.tot_num_values = number
    common.min_num_values = common.max_num_values = 1
    texts = {
        features.LABEL: classes,
        features.SPLIT: ["train"],
        features.PATH: ["a/1.jpg", "a/2.jpg"],
        features.IMAGE_ID: ["0" * 64, "1" * 64],
        "format": ["JPEG"],
    }
    for name, values in texts.items():
        stats = feature(name, kinds.STRING).string_stats
        stats.unique = len(values)
        for value in values:
            stats.rank_histogram.buckets.add(label=value, sample_count=number / len(values))
            stats.top_values.add(value=value, frequency=number / len(values))
    feature(features.VIEW, kinds.INT)
    for fact in dataclasses.fields(Facts):
        if fact.name in texts:
            continue
        one = feature(fact.name, kinds.INT if fact.type is int else kinds.FLOAT)
        low, high = brightness if fact.name == "brightness" else (1, 8)
        one.num_stats.min, one.num_stats.max = low, high
    return found


@pytest.fixture(scope="module")
def splits():
    return {
        "train": statistics(["cat", "dog"], (10, 200)),
        "test": statistics(["bird", "cat"], (5, 180)),
    }


def test_what_is_inferred_holds_for_every_split(splits):
    text = command.inferred_text(splits, ["bird", "cat", "dog"])
    assert command.find_anomalies(splits, text) == []
    inferred = text_format.Parse(text, schema_pb2.Schema())
    by_name = {feature.name: feature for feature in inferred.feature}
    curated = {feature.name for feature in schema.read_schema().feature}
    assert by_name.keys() == curated
    brightness = by_name["brightness"].float_domain
    assert (brightness.min, brightness.max) == (5, 200)
    assert (by_name["width"].int_domain.min, by_name["width"].int_domain.max) == (1, 8)


def test_an_inferred_schema_can_take_the_place_of_the_curated_one(splits, tmp_path):
    (tmp_path / "x.pbtxt").write_text(command.inferred_text(splits, ["bird", "cat", "dog"]))
    inferred = schema.read_schema(tmp_path / "x.pbtxt")
    domains = {domain.name: list(domain.value) for domain in inferred.string_domain}
    assert domains["format"] == ["JPEG"], "what was seen"
    assert domains["classes"] == ["bird", "cat", "dog"] and features.LABEL not in domains
    (label,) = [feature for feature in inferred.feature if feature.name == features.LABEL]
    assert label.domain == "classes"


def test_names_have_no_domain_however_few_pictures_there_are(splits):
    text = command.inferred_text(splits, ["süßes Kätzchen"])
    assert "süßes Kätzchen" in text, "as people read it"
    inferred = text_format.Parse(text, schema_pb2.Schema())
    assert not {d.name for d in inferred.string_domain} & {features.PATH, features.IMAGE_ID}
    (path,) = [feature for feature in inferred.feature if feature.name == features.PATH]
    assert path.WhichOneof("domain_info") is None


def test_anomalies_name_split_feature_and_value(splits):
    text = schema.schema_text(["cat", "dog"])
    assert command.find_anomalies({"train": splits["train"]}, text) == []
    ((split, feature, what),) = command.find_anomalies(splits, text)
    assert (split, feature) == ("test", features.LABEL) and "bird" in what


def test_anomalies_of_a_split_stand_in_the_order_of_their_features(splits):
    columns = [f"missing{number}" for number in range(9)]
    text = schema.schema_text(["cat", "dog", "bird"], columns)
    found = [(split, name) for split, name, _ in command.find_anomalies(splits, text)]
    assert found == [(split, f"column_{name}") for split in splits for name in columns]


def test_a_fact_out_of_its_range_is_an_anomaly():
    dark = {"train": statistics(["cat", "dog"], (-3, 200))}
    ((_, feature, what),) = command.find_anomalies(dark, schema.schema_text(["cat", "dog"]))
    assert feature == "brightness" and "-3" in what


def test_a_file_is_not_written_over_unasked(tmp_path):
    path = tmp_path / "schema.pbtxt"
    command.check_free(None, False)
    command.check_free(path, False)
    path.touch()
    command.check_free(path, True)
    with pytest.raises(UserError, match=r"schema\.pbtxt is there already: name another file, or"):
        command.check_free(path, False)


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_is_no_file_to_write(tmp_path, force):
    with pytest.raises(UserError, match=rf"--output {tmp_path} is a folder: name a file"):
        command.check_free(tmp_path, force)


def test_tfdv_infers_what_the_code_reads():
    """The fields that `inferred_text` fills in are those that TFDV leaves open."""
    inferred = tfdv.infer_schema(statistics(["cat", "dog"], (0, 255)))
    (brightness,) = [feature for feature in inferred.feature if feature.name == "brightness"]
    assert brightness.WhichOneof("domain_info") is None


def test_what_is_wrong_with_a_split_as_a_whole_is_told_without_a_feature(splits):
    text = schema.schema_text(["bird", "cat", "dog"]) + "dataset_constraints {\n"
    few = {"train": splits["train"], "test": statistics(["cat", "dog"], (0, 200), number=99)}
    ((split, feature, what),) = command.find_anomalies(
        few, f"{text}  min_examples_count: 100\n}}\n"
    )
    assert (split, feature) == ("test", "") and what


@pytest.fixture
def alone(monkeypatch, splits, tmp_path):
    """`alone(function, …)` runs a command on these statistics; gives its exit code and words."""
    console = make_console(file=io.StringIO(), width=200)
    found = SimpleNamespace(source=SimpleNamespace(classes=["bird", "cat", "dog"], columns=[]))
    titles = []

    def run_locally(recipe, title, work, **_):
        titles.append(title)
        return work(console, found, None)

    monkeypatch.setattr(command, "run_locally", run_locally)
    monkeypatch.setattr(command, "_statistics", lambda *_: splits)

    def alone(function, *arguments):
        code = function("digits", [], *arguments, False, False)
        return code, console.file.getvalue(), titles[-1]

    alone.source = found.source
    return alone


def test_an_inferred_schema_is_printed_or_written_to_a_file_that_is_not_there(alone, tmp_path):
    code, said, title = alone(command.infer_schema, None, False)
    assert code == 0 and title == "digits: schema of digits"
    assert said.startswith("# What the pictures of digits happen to be.\n") and "brightness" in said
    path = tmp_path / "new" / "folder" / "schema.pbtxt"
    code, said, _ = alone(command.infer_schema, path, False)
    assert code == 0 and f"{path}: compare it with {schema.CURATED}" in said
    assert path.read_text().startswith("# What the pictures")
    domains = {domain.name: domain.value for domain in schema.read_schema(path).string_domain}
    assert list(domains[schema.CLASSES]) == ["bird", "cat", "dog"]
    path.write_text("mine")
    assert alone(command.infer_schema, path, True)[0] == 0
    assert path.read_text() != "mine"


def test_a_file_that_came_while_the_nodes_ran_is_not_written_over(alone, monkeypatch, tmp_path):
    path = tmp_path / "schema.pbtxt"
    monkeypatch.setattr(command, "inferred_text", lambda *_: path.write_text("of another") or "")
    with pytest.raises(UserError, match="is there already"):
        alone(command.infer_schema, path, False)
    assert path.read_text() == "of another"


def test_anomalies_are_exit_code_1_with_a_row_each(alone, tmp_path):
    code, said, title = alone(command.check_schema, None)
    assert code == 0 and f"No anomalies: the pictures are as {schema.CURATED} says" in said
    assert title == f"digits: digits against {schema.CURATED}"
    narrow = tmp_path / "narrow.pbtxt"
    text = schema.CURATED.read_text()
    domain = 'string_domain { name: "classes" }'
    narrow.write_text(text.replace(domain, 'string_domain { name: "classes" value: "cat" }'))
    code, said, title = alone(command.check_schema, narrow)
    assert code == 1 and title == f"digits: digits against {narrow}"
    assert "Anomalies (" in said
    rows = [line.split("│") for line in said.splitlines() if line.startswith("│")]
    assert [(row[1].strip(), row[2].strip()) for row in rows if row[1].strip()] == [
        ("train", "label"), ("test", "label")
    ]  # fmt: skip


def test_a_schema_that_cannot_be_read_is_told_before_any_node_runs(alone, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "run_locally", lambda *_, **__: pytest.fail("too late"))
    with pytest.raises(UserError, match="there is no schema"):
        alone(command.check_schema, tmp_path / "none.pbtxt")


def test_statistics_are_those_of_every_split(monkeypatch, tmp_path):
    made = {"StatisticsGen": {"statistics": [SimpleNamespace(uri=str(tmp_path))]}}
    monkeypatch.setattr(local_runner, "run_up_to", lambda node_id, *_: {node_id: made[node_id]})
    monkeypatch.setattr(tfdv, "load_stats_binary", lambda path: path)
    assert command._statistics(None, None, None) == {
        split: f"{tmp_path}/Split-{split}/FeatureStats.pb" for split in features.SPLITS
    }


def test_a_file_that_is_there_is_told_before_any_node_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "run_locally", lambda *_, **__: pytest.fail("too late"))
    path = tmp_path / "schema.pbtxt"
    path.touch()
    with pytest.raises(UserError, match="is there already"):
        command.infer_schema("digits", [], path, False, False, False)


def test_no_name_of_a_source_ends_the_comment_that_tells_it(alone, tmp_path, monkeypatch):
    recipe = load_recipe("digits")
    evil = recipe.data.replaced(source="a\nb {")
    monkeypatch.setattr(command, "load_recipe", lambda *_: recipe.replaced(data=evil))
    path = tmp_path / "schema.pbtxt"
    assert alone(command.infer_schema, path, False)[0] == 0
    assert path.read_text().startswith("# What the pictures of a\\nb { happen to be.\n")
    assert schema.read_schema(path)


def test_pictures_are_held_to_their_own_classes_and_columns(alone, monkeypatch):
    asked, alone.source.columns = [], ["Taken by"]
    monkeypatch.setattr(schema, "schema_text", lambda *given: asked.append(given))
    monkeypatch.setattr(command, "find_anomalies", lambda *_: [])
    assert alone(command.check_schema, None)[0] == 0
    assert asked == [(["bird", "cat", "dog"], ["Taken by"], schema.CURATED)]


def test_names_from_outside_are_shown_in_a_table_of_anomalies_as_they_are(
    alone, monkeypatch, tmp_path
):
    file = tmp_path / "[red].pbtxt"
    file.write_text(schema.CURATED.read_text())
    told = [("train", "column_[b]", "it is [i]wrong\x1b")]
    monkeypatch.setattr(command, "find_anomalies", lambda *_: told)
    code, said, _ = alone(command.check_schema, file)
    said = "".join(line.strip() for line in said.splitlines())
    assert code == 1 and "[red].pbtxt)" in said
    assert "column_[b]" in said and "it is [i]wrong\\x1b" in said
