"""The page of a run, and the same facts as data."""

import functools
import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import jinja2
from markupsafe import Markup

from components.errors import UserError
from components.files import write_atomically
from components.text import one_line, printable
from pipeline.report.run_files import RunFiles
from pipeline.report.sections import SECTIONS

_Made = TypeVar("_Made")

# Of the facts of a section: what only a picture is made of, or stands in the page's words.
_UNTOLD = ("image", "heat", "views", "words", "matrix")
_IMPORT = "{% from 'gallery.html' import gallery %}"


def make_page(files: RunFiles) -> str:
    """The HTML page of a run; at its end it says which sections are left out, and why."""

    def render(section) -> Markup:
        template = _template(section.TEMPLATE)
        content = template.render(section.facts(files), chart=getattr(section, "chart", None))
        return Markup(content)  # noqa: S704 (escaped by the section's own template)

    sections, left_out = [], {}
    for section in SECTIONS:
        html, why_not = _attempt(section, files, render)
        if html:
            sections.append({"id": _name(section), "title": section.TITLE, "html": html})
        else:
            left_out.setdefault(why_not, []).append(section.TITLE)
    page = _environment().get_template("page.html")
    run = files.run.name[:19]
    return page.render(name=files.recipe.name, run=run, sections=sections, left_out=left_out)


def write_page(files: RunFiles, path: Path) -> None:
    """Writes the page, whole or not at all; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, make_page(files))


def default_path(files: RunFiles) -> Path:
    """Where the page of a run lies."""
    name = files.run.name[:19].replace(":", "-")
    return files.recipe.folder.absolute() / "reports" / f"{name}.html"


def as_json(files: RunFiles) -> str:
    """What the page tells, less its pictures; NaN is null."""
    told: dict[str, Any] = {"recipe": files.recipe.name, "run": files.run.name}
    for section in SECTIONS:
        content, left_out = _attempt(section, files, lambda one: _plain(one.facts(files)))
        told[_name(section)] = content or {"left_out": left_out}
    return json.dumps(told, indent=2, allow_nan=False)


def _name(section: ModuleType) -> str:
    return section.__name__.rpartition(".")[2]


def _attempt(
    section: ModuleType, files: RunFiles, make: Callable[[ModuleType], _Made]
) -> tuple[_Made | None, str]:
    """What is made of a section, or why nothing is."""
    try:
        for name in section.NEEDS:
            getattr(files, name)
        return make(section), ""
    except UserError as error:
        return None, str(error)
    except Exception as error:  # what earlier releases left may be of any form
        logging.exception("The section %s could not be made", section.TITLE)
        return None, f"it could not be made ({type(error).__name__}: {one_line(error, 100)})"


@functools.cache
def _template(text: str) -> jinja2.Template:
    """The template of a section."""
    return _environment().from_string(_IMPORT + text)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
    )
    environment.filters |= {"figure": _figure, "seconds": _seconds}
    return environment


def _finalize(value: object) -> object:
    """Whatever a template shows passes here, before it is escaped."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _figure(value: float | None, missing: str = "–") -> str:
    if value is None or math.isnan(value):
        return missing
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.1f} min"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if key not in _UNTOLD}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
