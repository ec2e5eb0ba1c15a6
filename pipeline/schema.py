"""The schema of a data set: the curated one, with the data's classes and further columns."""

import hashlib
import importlib.resources
from collections.abc import Sequence
from pathlib import Path

from components import features
from components.files import write_atomically

CURATED = importlib.resources.files("schemas") / "schema.pbtxt"
_CLASSES = "classes"


def schema_text(classes: Sequence[str] = (), columns: Sequence[str] = ()) -> str:
    """The schema as text.

    Args:
        classes: class names that a label may have; none: any.
        columns: names of a manifest's further columns, each of which is one more feature.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = text_format.Parse(CURATED.read_text(), schema_pb2.Schema())
    domain = next(d for d in schema.string_domain if d.name == _CLASSES)
    if classes:
        domain.value.extend(classes)
    else:
        schema.string_domain.remove(domain)
        for feature in schema.feature:
            if feature.domain == _CLASSES:
                feature.ClearField("domain")
    for column in columns:
        text = "type: BYTES presence { min_fraction: 1 min_count: 1 } shape {}"
        feature = text_format.Parse(text, schema.feature.add())
        feature.name = features.column_feature(column)
    return text_format.MessageToString(schema, as_utf8=True)


def write_schema(classes: Sequence[str], folder: Path, columns: Sequence[str] = ()) -> Path:
    """Writes the schema to a path that holds a digest of its content, which is what TFX caches by.

    Args:
        classes: class names that a label may have.
        folder: where schemas are kept.
        columns: names of a manifest's further columns.

    Returns:
        The file written.
    """
    text = schema_text(classes, columns)
    path = folder / hashlib.sha256(text.encode()).hexdigest()[:16] / "schema.pbtxt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
    return path
