"""The curated schema, with the data's classes."""

import dataclasses

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components import features
from components.example_gen.inspection.facts import Facts
from pipeline.schema import CURATED, schema_text, write_schema


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
    schema = read(write_schema(["Hund", "mañana"], tmp_path))
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
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["schema.pbtxt"] * 2


def test_a_manifests_further_columns_are_features(tmp_path):
    schema = read(write_schema(["a", "b"], tmp_path, ["Site name"]))
    (column,) = [f for f in schema.feature if f.name == "column_Site_name"]
    (path,) = [f for f in schema.feature if f.name == features.PATH]
    column.name = path.name
    assert column == path
