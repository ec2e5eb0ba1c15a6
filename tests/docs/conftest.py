"""The pages that people read, and what is taken out of them."""

import re
import shlex
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


class Page:
    """A Markdown page of this repository."""

    def __init__(self, name: str):
        self.path = REPOSITORY / name
        self.text = self.path.read_text("utf-8")

    def __repr__(self):
        return str(self.path.relative_to(REPOSITORY))

    def commands(self, program: str) -> list[list[str]]:
        """Lines of code and code inside of text that begin with `program`, as words after it."""
        program = rf"(?:\.venv/bin/)?{program}"
        pattern = rf"^ +{program} (.+)$|`{program} ([^`\n]+)`"
        lines = re.findall(pattern, self.text, re.MULTILINE)
        return [shlex.split(line or inside, comments=True) for line, inside in lines]

    def section(self, title: str) -> str:
        """The text under a heading, up to the next one."""
        (text,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", self.text, re.M | re.S)
        return text

    def rows(self, section: str) -> list[list[str]]:
        """The cells of all tables under a heading, row by row, without the rule under a head."""
        lines = [line for line in self.section(section).splitlines() if line.startswith("|")]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return [row for row in rows if not all(set(cell) <= {"-"} for cell in row)]


NAMES = [
    "README.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "kubeflow/README.md",
    *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")),
]
PAGES = [Page(name) for name in NAMES]


@pytest.fixture
def readme() -> Page:
    return PAGES[0]


@pytest.fixture
def contributing() -> Page:
    return PAGES[1]


@pytest.fixture
def benchmarks() -> Page:
    return PAGES[2]


@pytest.fixture
def docs() -> dict[str, Page]:
    """The pages of `docs/` by name."""
    return {page.path.stem: page for page in PAGES if page.path.parent.name == "docs"}


@pytest.fixture(params=PAGES, ids=repr)
def page(request) -> Page:
    """Each of the pages."""
    return request.param
