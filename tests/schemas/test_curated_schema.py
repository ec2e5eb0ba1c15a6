"""The curated schema says of each feature what `components.features` and `Facts` say of it."""

import dataclasses
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import schemas
from components import features, picture_formats
from components.example_gen.inspection.facts import Facts
from components.example_gen.reading import layout

_TYPES = {int: schema_pb2.INT, float: schema_pb2.FLOAT, str: schema_pb2.BYTES}
_RANGES = {
    "view": (0, 0),
    "width": (1, None),
    "height": (1, None),
    "bytes": (1, None),
    "orientation": (1, 8),
    "brightness": (0.0, 255.0),
    "contrast": (0.0, 127.6),  # of half black, half white 127.5, and a rounding error
    "sharpness": (0.0, None),
    "aspect": (0.0, None),
    "colourfulness": (0.0, None),
}
_DOMAINS = {"label": "classes", "split": "splits", "format": "formats"}


@pytest.fixture(scope="module")
def schema():
    text = Path(schemas.__file__).with_name("schema.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, schema_pb2.Schema())


def test_every_example_has_one_value_of_each_feature(schema):
    for feature in schema.feature:
        assert (feature.presence.min_fraction, feature.presence.min_count) == (1.0, 1), feature.name
        assert feature.HasField("shape") and not feature.shape.dim, feature.name


def test_types_are_those_that_are_written(schema):
    found = {feature.name: feature.type for feature in schema.feature}
    of_facts = {fact.name: _TYPES[fact.type] for fact in dataclasses.fields(Facts)}
    texts = ("image", "label", "image_id", "split", "path")
    assert found == {**of_facts, **dict.fromkeys(texts, schema_pb2.BYTES), "view": schema_pb2.INT}
    assert {f.name for f in schema.feature if f.HasField("image_domain")} == {"image"}


def test_ranges_are_those_of_the_facts(schema):
    found = {}
    for feature in schema.feature:
        kind = feature.WhichOneof("domain_info")
        if kind in ("int_domain", "float_domain"):
            domain = getattr(feature, kind)
            present = {field.name: value for field, value in domain.ListFields()}
            found[feature.name] = (present.get("min"), present.get("max"))
    assert found.keys() == _RANGES.keys()
    for name, ends in _RANGES.items():
        assert found[name] == pytest.approx(ends), name


def test_words_are_those_that_can_be(schema):
    assert {f.name: f.domain for f in schema.feature if f.domain} == _DOMAINS
    domains = {domain.name: set(domain.value) for domain in schema.string_domain}
    formats = {*picture_formats._MAGIC, *map(str.upper, layout.CONVERTED.values())}
    assert domains == {
        "classes": set(),
        "splits": set(features.SPLITS),
        "formats": formats - {"HEIC"} | {"HEIF"},  # Pillow's name for it
    }
