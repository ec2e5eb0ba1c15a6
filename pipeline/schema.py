"""The schema of a data set: the curated one, with the data's classes and further columns."""

import hashlib
import importlib.resources
from collections.abc import Sequence
from pathlib import Path

from components import features
from components.errors import UserError
from components.files import write_atomically
from components.text import one_line, printable

CURATED = Path(str(importlib.resources.files("schemas"))) / "schema.pbtxt"
# The domain of `label`.
CLASSES = "classes"


def read_schema(file: Path = CURATED):
    """Reads a schema, a `schema_pb2.Schema`.

    Raises:
        UserError: there is none, or it lacks the domain of the classes.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    shown = printable(str(file))
    try:
        schema = text_format.Parse(file.read_text(encoding="utf-8"), schema_pb2.Schema())
    except FileNotFoundError:
        raise UserError(f"there is no schema {shown}") from None
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        why = getattr(error, "strerror", None) or one_line(error, 200)
        raise UserError(f"{shown} is no schema of TensorFlow Metadata: {why}") from error
    labels = [feature for feature in schema.feature if feature.name == features.LABEL]
    if not labels or _domain(schema) is None:
        raise UserError(
            f"{shown} has no feature `{features.LABEL}` or no string_domain `{CLASSES}` (which "
            "may be empty: then it is that of the data): see schemas/README.md"
        )
    return schema


def check_classes(classes: Sequence[str], source: str, file: Path | None = None) -> None:
    """Refuses classes that a schema with classes of its own does not know.

    Args:
        classes: of the data source.
        source: names it.
        file: the schema; None: the curated one.

    Raises:
        UserError: there is one.
    """
    file = file or CURATED
    known = _domain(read_schema(file)).value
    unknown = [name for name in classes if name not in known]
    if known and unknown:
        raise UserError(
            f"data.source {printable(source)} has {len(unknown)} class(es) that the schema does "
            f"not know: {one_line(', '.join(unknown))}. It knows {one_line(', '.join(known))}: "
            f"take those pictures out, or add the class to the domain `{CLASSES}` in {file}"
        )


def _domain(schema):
    """The domain of the classes; None if there is none."""
    return next((d for d in schema.string_domain if d.name == CLASSES), None)


def schema_text(
    classes: Sequence[str] = (), columns: Sequence[str] = (), file: Path = CURATED
) -> str:
    """The schema as text.

    Args:
        classes: class names that a label may have, unless the schema has its own; none: any.
        columns: names of a manifest's further columns, each of which is one more feature.
        file: the schema to fill in.
    """
    from google.protobuf import text_format

    schema = read_schema(file)
    domain = _domain(schema)
    if classes and not domain.value:
        domain.value.extend(classes)
    elif not domain.value:
        schema.string_domain.remove(domain)
        for feature in schema.feature:
            if feature.domain == CLASSES:
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
