"""Reads YAML that people write: no key twice, no more of it than a person writes; and writes it."""

import re
from collections.abc import Iterable
from typing import Any

import yaml

from components.errors import UserError
from components.text import one_line

_MOST_DEPTH = 50
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
# For a recipe, of which the longest here has 2 kB. PyYAML takes about a second for so much.
_MOST_BYTES = 32_000


def read_document(text: str) -> Any:
    """Reads one document of at most 32 kB.

    Raises:
        UserError: it is not YAML, or beyond a limit; the text says in which line.
    """
    documents = read_documents(text, _MOST_BYTES)
    if len(documents) > 1:
        raise UserError("one document is expected, without a line `---` between two")
    return documents[0] if documents else None


def read_documents(text: str, most_bytes: int) -> list[Any]:
    """Reads the documents that `---` separates.

    Args:
        text: YAML.
        most_bytes: longer texts are refused. Values behind an alias count as often as they are
            named: there may be half as many as bytes.

    Raises:
        UserError: see `read_document`.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > most_bytes:
        raise UserError(f"it has {size:,} bytes; {most_bytes:,} are the most")
    try:
        loader = _Loader(text, most_bytes // 2)
        documents = []
        while loader.check_data():
            documents.append(loader.get_data())
        return documents
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or error
        raise _error(f"not YAML: {problem}", getattr(error, "problem_mark", None)) from None


def write_documents(documents: Iterable[Any], **options) -> str:
    """YAML that `read_documents`, and the parsers of other languages, read as it was meant.

    Args:
        documents: one after the other, of plain values.
        options: of `yaml.dump_all`.
    """
    return yaml.dump_all(documents, Dumper=_Dumper, allow_unicode=True, **options)


class _Dumper(yaml.SafeDumper):
    """Puts text in quotes also where only others, such as Go's, take it for a number or a truth."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"(?i)^[-+]?(0[box][0-9a-f_]+|[0-9_]*\.?[0-9_]+\.?(e[-+]?[0-9_]+)?)$"),
    list("-+.0123456789"),
)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))


class _Loader(yaml.SafeLoader):
    """YAML with limits, in which a key that is there twice is an error.

    By YAML's rules the last of two equal keys would win. A date is text here, and 1e-4 a number,
    as in YAML 1.2.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str, most_values: int):
        super().__init__(text)
        self._most_values = most_values
        self._depth = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        event = self.peek_event()
        if self._depth == _MOST_DEPTH:
            raise _error(f"blocks are nested more than {_MOST_DEPTH} deep", event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not isinstance(event, yaml.AliasEvent):
            self._sizes[node] = self._size(node)
        elif node not in self._sizes:
            raise _error(f"the block that {event.anchor} names is in itself", event.start_mark)
        return node

    def _size(self, node: yaml.Node) -> int:
        """Number of values in a node, those behind an alias as often as they are named."""
        inside = node.value if isinstance(node, yaml.CollectionNode) else ()
        pairs = isinstance(node, yaml.MappingNode)
        size = 1 + sum(self._sizes[n] for part in inside for n in (part if pairs else (part,)))
        if size > self._most_values:
            raise _error(f"there are more than {self._most_values:,} values", node.start_mark)
        return size

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line, same = key.start_mark.line + 1, (key.tag, key.value)
                if same in lines:
                    name = one_line(key.value, 80)
                    where = f"in lines {lines[same]} and {line}"
                    raise _error(f"the key {name} is there twice, {where}")
                lines[same] = line
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except UserError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError):
            value = node.value or "''" if isinstance(node, yaml.ScalarNode) else "this"
            kind = node.tag.rpartition(":")[2]
            raise _error(f"{one_line(value, 80)} is no {kind}", node.start_mark) from None


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _error(problem: str, mark: yaml.Mark | None = None) -> UserError:
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return UserError(f"{one_line(problem)}{where}")
