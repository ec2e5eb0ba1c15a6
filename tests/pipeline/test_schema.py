"""The curated schema, with the data's classes."""

import dataclasses
import re

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components import features
from components.errors import UserError
from components.example_gen.inspection.facts import Facts
from pipeline.schema import CURATED, check_classes, read_schema, schema_text, write_schema


def read(path):
    return text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())


def test_it_describes_every_feature_and_no_other():
    names = {feature.name for feature in read(CURATED).feature}
    assert names == {
        features.IMAGE,
        features.LABEL,
        features.IMAGE_ID,
        features.SPLIT,
        features.PATH,
        features.VIEW,
        *(fact.name for fact in dataclasses.fields(Facts)),
    }


def test_the_classes_become_the_domain_of_the_label(tmp_path):
    path = write_schema(["Hund", "mañana"], tmp_path)
    assert "mañana" in path.read_text(encoding="utf-8"), "people read it too"
    schema = read(path)
    domains = {domain.name: list(domain.value) for domain in schema.string_domain}
    assert domains["classes"] == ["Hund", "mañana"]
    (label,) = [f for f in schema.feature if f.name == features.LABEL]
    assert label.domain == "classes"


def test_without_classes_a_label_may_be_any():
    schema = text_format.Parse(schema_text(), schema_pb2.Schema())
    assert [domain.name for domain in schema.string_domain] == ["splits", "formats"]
    domains = {feature.name: feature.domain for feature in schema.feature}
    assert domains[features.LABEL] == "" and domains[features.SPLIT] == "splits"
    assert {f.name for f in schema.feature} == {f.name for f in read(CURATED).feature}


def test_the_path_follows_the_content_because_tfx_caches_by_path(tmp_path):
    first = write_schema(["a", "b"], tmp_path)
    assert write_schema(["a", "b"], tmp_path) == first
    assert write_schema(["a", "c"], tmp_path) != first
    assert re.fullmatch("[0-9a-f]{16}", first.parent.name), "long enough for no two to be alike"
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["schema.pbtxt"] * 2


def test_a_manifests_further_columns_are_features(tmp_path):
    schema = read(write_schema(["a", "b"], tmp_path, ["Site name"]))
    (column,) = [f for f in schema.feature if f.name == "column_Site_name"]
    (path,) = [f for f in schema.feature if f.name == features.PATH]
    column.name = path.name
    assert column == path


@pytest.fixture
def own_classes(tmp_path):
    """The curated schema with classes of its own."""
    path = tmp_path / "own.pbtxt"
    filled = 'string_domain { name: "classes" value: "cat" value: "dog" }'
    path.write_text(CURATED.read_text().replace('string_domain { name: "classes" }', filled))
    return path


def test_the_classes_are_found_behind_other_domains(tmp_path):
    path = tmp_path / "turned.pbtxt"
    path.write_text(
        "feature { name: 'label' } string_domain { name: 'splits' value: 'train' } "
        "string_domain { name: 'classes' value: 'cat' }"
    )
    check_classes(["cat"], "/pets", path)
    with pytest.raises(UserError, match="does not know: train"):
        check_classes(["train"], "/pets", path)


def test_classes_that_were_decided_on_are_not_those_of_the_data(own_classes):
    for classes in ((), ["cat"], ["cat", "dog"]):
        schema = text_format.Parse(schema_text(classes, (), own_classes), schema_pb2.Schema())
        domains = {domain.name: list(domain.value) for domain in schema.string_domain}
        assert domains["classes"] == ["cat", "dog"]


def test_a_label_that_the_schema_does_not_know_is_told_with_those_that_it_knows(own_classes):
    says = (
        r"/pets\\x1b has 2 class\(es\) that the schema does not know: bird, fi\\x1bsh\. "
        r"It knows cat, dog: .* the domain `classes` in .*own\.pbtxt"
    )
    with pytest.raises(UserError, match=says):
        check_classes(["bird", "cat", "fi\x1bsh"], "/pets\x1b", own_classes)
    check_classes(["cat"], "/pets", own_classes)
    check_classes(["anything", "goes"], "/pets")  # the curated one leaves the classes to the data


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no schema"),
        ("feature {", "is no schema of TensorFlow Metadata: "),
        (b"\xff", "is no schema of TensorFlow Metadata: "),
        ("feature { name: 'image' }", "has no feature `label` or no string_domain `classes`"),
        (
            "feature { name: 'label' } string_domain { name: 'splits' }",
            "has no feature `label` or no string_domain `classes`",
        ),
        (
            "feature { name: 'image' } string_domain { name: 'classes' }",
            "has no feature `label` or no string_domain `classes`",
        ),
    ],
)
def test_what_is_no_schema_is_refused(content, says, tmp_path):
    path = tmp_path / "x.pbtxt"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=f"x.pbtxt.*{re.escape(says)}|{re.escape(says)}.*x.pbtxt"):
        read_schema(path)


def test_a_folder_is_no_schema(tmp_path):
    says = f"^{tmp_path} is no schema of TensorFlow Metadata: Is a directory$"
    with pytest.raises(UserError, match=says):
        read_schema(tmp_path)


def test_the_path_follows_the_columns_too_and_each_of_them_is_a_feature(tmp_path):
    none, one, two = (write_schema(["a"], tmp_path, c) for c in ([], ["Site"], ["Site", "Day"]))
    assert len({none, one, two}) == 3
    names = {feature.name for feature in read(two).feature}
    assert names >= {"column_Site", "column_Day"} and "column_Day" not in read(one).feature
