"""Writes docs/reference.md: every key of a recipe, from the models that check it.

python tools/recipe_reference.py > docs/reference.md
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.config import Recipe

HEAD = """# Every key of a recipe

Written by `tools/recipe_reference.py` from the models that check a recipe; a test holds it to them.
`graft validate RECIPE` prints a recipe with the values of the keys that it leaves out. A block that
a recipe does not name has the values told here, or is off where that is said.
"""
# What a title says already, where the docstring of a block begins with it.
_OWN_NAME = re.compile(r"(The b|B)lock `\S+`( of a recipe)?[.:;]\s*")
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}

Schema = Mapping[str, Any]


def reference(schema: Schema) -> str:
    """The page, from the JSON schema of `Recipe`."""
    lines = [HEAD]
    for path, entry, block in _blocks(schema, {}, schema, ""):
        rows = [_row(key, value) for key, value in block["properties"].items() if not _inner(value)]
        lines += [f"## `{path}`" if path else "## At the top", ""]
        if about := _about(entry, block):
            lines += [about, ""]
        if rows:
            lines += ["| key | is | default | |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


def _blocks(
    schema: Schema, entry: Schema, block: Schema, path: str
) -> Iterator[tuple[str, Schema, Schema]]:
    """A block and those inside of it: its path, the entry that holds it, and its model."""
    yield path, entry, block
    for key, value in block["properties"].items():
        if inner := _inner(value):
            name, suffix = inner
            at = f"{path}.{key}" if path else key
            yield from _blocks(schema, value, schema["$defs"][name], f"{at}{suffix}")


def _about(entry: Schema, block: Schema) -> str:
    """Whether a block is off by default, what its model says of it, and what its entry adds."""
    said = [_OWN_NAME.sub("", block["description"], count=1), entry.get("description", "")]
    if "default" in entry and not entry["default"]:
        said.insert(0, "off unless a recipe names it")
    return " ".join(f"{text[0].upper()}{text[1:].removesuffix('.')}." for text in said if text)


def _inner(entry: Schema) -> tuple[str, str] | None:
    """Name of the model of a block, and what its path ends in; None for a value."""
    for candidate in (entry, *entry.get("anyOf", ())):
        places = {
            "": candidate,
            "[…]": candidate.get("items"),
            ".NAME": candidate.get("additionalProperties"),
        }
        for suffix, place in places.items():
            if isinstance(place, Mapping) and "$ref" in place:
                return place["$ref"].rpartition("/")[2], suffix
    return None


def _row(key: str, entry: Schema) -> str:
    default = f"`{json.dumps(entry['default'], ensure_ascii=False)}`" if "default" in entry else ""
    cells = [f"`{key}`", _kind(entry), default, entry.get("description", "")]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _kind(entry: Schema) -> str:
    """What a value may be, in words."""
    if choices := entry.get("anyOf", entry.get("oneOf")):
        return " or ".join(_kind(one) for one in choices)
    if "const" in entry or "enum" in entry:
        return ", ".join(f"`{one}`" for one in entry.get("enum", [entry.get("const")]))
    kind = "none" if entry.get("type") == "null" else entry.get("type", "any")
    if "items" in entry:
        kind = f"list of {_kind(entry['items'])}"
    elif isinstance(entry.get("additionalProperties"), Mapping):
        kind = f"mapping to {_kind(entry['additionalProperties'])}"
    bounds = [words.format(entry[key]) for key, words in _BOUNDS.items() if key in entry]
    return ", ".join([kind, *bounds])


if __name__ == "__main__":
    sys.stdout.write(reference(Recipe.model_json_schema()))
