"""The page in a real browser, and what axe-core finds in it.

It needs Chromium and `npm ci --prefix tests/browser`. `.ci/run` installs both and sets
GRAFT_TEST_BROWSER, with which the tests fail where they would be skipped otherwise.
"""

import importlib.util
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.one_line]

REPOSITORY = Path(__file__).parents[3]
AXE = REPOSITORY / "tests/browser/node_modules/axe-core/axe.min.js"
VIEWS = {
    "desktop": {},
    "dark": {"dark": True},
    "phone": {"width": 390, "height": 844},
    "dark phone": {"width": 390, "height": 844, "dark": True},
    "print": {"media": "print"},
}
EVIL_NAME = "Staffordshire-bullterrier<script>\u202e"
RULES = "{preload: false, runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice']}"


@pytest.fixture(scope="module")
def open_page():
    missing = []
    if not shutil.which("chromium"):
        missing.append("no chromium")
    if not AXE.exists():
        missing.append("no axe-core (npm ci --prefix tests/browser)")
    if missing and not os.environ.get("GRAFT_TEST_BROWSER"):
        pytest.skip(f"skipped: {', '.join(missing)}")
    assert not missing
    spec = importlib.util.spec_from_file_location("chromium", REPOSITORY / "tools/chromium.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.open_page


@pytest.fixture
def write_alone(run, tmp_path):
    """Writes a page into a folder of its own: nothing of the run is beside it."""

    def write_alone(version: str = "") -> Path:
        file = tmp_path / "elsewhere" / "page.html"
        file.parent.mkdir()
        file.write_text(run.page(version), encoding="utf-8")
        shutil.rmtree(run.folder / "artifacts")
        return file

    return write_alone


@pytest.fixture
def page_file(pushed, write_alone) -> Path:
    """A page with everything in it."""
    pushed.keep_thumbnails("cat/0.jpg", "cat/1.jpg", "dog/0.jpg", heat=True)
    return write_alone("2")


@pytest.fixture
def refused(pushed, write_alone) -> Path:
    """That of a run that gates stopped."""
    pushed.gates_of_all()
    return write_alone()


@pytest.fixture
def failed(run, write_alone) -> Path:
    """That of a run whose Trainer failed."""
    run.data()
    run.node("Trainer", "failed", "training.frozen: the loss is nan at batch 1")
    return write_alone()


@pytest.fixture
def many_classes(run, write_alone) -> Path:
    """That of 120 classes, some of which are taken for their neighbours."""
    names = [f"{EVIL_NAME} {number:03}" for number in range(120)]
    places = np.repeat(np.arange(len(names)), 2)
    answers = np.where(np.arange(len(places)) % 7, places, places ^ 1)
    run.data(names)
    run.training()
    run.evaluation(names, (0.9 * np.eye(len(names))[answers]).tolist(), places=places.tolist())
    run.gates(run.PASS)
    return write_alone()


@pytest.mark.parametrize("view", VIEWS)
def test_it_is_whole_and_can_be_read_by_everybody(page_file, open_page, view):
    look_at(page_file, open_page, view, least_images=8)


@pytest.mark.parametrize("view", ["desktop", "dark phone"])
@pytest.mark.parametrize(
    ("made", "least_images"), [("refused", 5), ("failed", 0), ("many_classes", 40)]
)
def test_so_are_those_of_other_runs(made, least_images, open_page, view, request):
    look_at(request.getfixturevalue(made), open_page, view, least_images)


def look_at(page_file, open_page, view, least_images):
    with open_page(page_file, **VIEWS[view]) as page:
        assert page.errors == []
        assert [one for one in page.requests if not one.startswith("data:")] == [page_file.as_uri()]
        broken = page.evaluate(
            "[...document.images].filter(one => !one.complete || !one.naturalWidth || !one.alt)"
            ".map(one => one.outerHTML.slice(0, 200))"
        )
        assert broken == [] and page.evaluate("document.images.length") >= least_images
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, "nothing sticks out"
        page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
        found = page.evaluate(
            f"axe.run(document, {RULES}).then(found => found.violations.map(one => "
            "one.id + ': ' + one.nodes.map(node => node.html.slice(0, 120)).join(' | ')))"
        )
        assert found == []
        assert page.errors == []


def test_the_check_would_find_what_it_looks_for(page_file, open_page):
    """A picture without words, too little contrast, a picture from elsewhere."""
    text = page_file.read_text(encoding="utf-8").replace('alt="', 'data-alt="')
    text = text.replace("--soft: #59616b", "--soft: #c9d1db")
    text = text.replace("<main>", '<main><img src="https://example.com/x.png" alt="x">')
    page_file.write_text(text, encoding="utf-8")
    with open_page(page_file) as page:
        assert any("Content Security Policy" in error for error in page.errors)
        page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
        found = page.evaluate(
            f"axe.run(document, {RULES}).then(found => found.violations.map(one => one.id))"
        )
        assert {"image-alt", "color-contrast"} <= set(found)


def test_it_works_in_a_frame_that_allows_nothing(page_file, open_page):
    """As Kubeflow Pipelines shows it."""
    outer = page_file.with_name("outer.html")
    outer.write_text(
        '<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f'frame-src file:"><iframe sandbox src="{page_file.name}" width=900 height=700></iframe>'
    )
    with open_page(outer) as page:
        assert page.errors == []
        asked = {one for one in page.requests if not one.startswith("data:")}
        assert asked == {outer.as_uri(), page_file.as_uri()}
