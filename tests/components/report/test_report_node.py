"""The node Report, which never stops a run."""

from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components.report import figures
from components.report.executor import Executor

HERE = __name__


@pytest.fixture
def make(tmp_path):
    """Runs the executor; gives the folder that it left, and its artifact."""

    def make(path: str):
        pushed, report = standard_artifacts.PushedModel(), standard_artifacts.ModelEvaluation()
        pushed.uri, report.uri = str(tmp_path / "pushed"), str(tmp_path / "report")
        Path(report.uri).mkdir()
        pushed.set_string_custom_property("pushed_version", "7")
        Executor().Do(
            {"pushed_model": [pushed]}, {"report": [report]}, {"make": path, "provenance": "{}"}
        )
        return Path(report.uri), report

    return make


def test_it_hands_on_what_it_has_and_keeps_what_is_made_of_it(make, monkeypatch):
    from components.report import executor

    def page(inputs, pushed, provenance):
        told = ("pushed_version", "already_served")
        return f"{[*inputs]} {[pushed[name] for name in told]}", provenance

    monkeypatch.setattr(executor, "page_of_a_test", page, raising=False)
    folder, artifact = make("components.report.executor.page_of_a_test")
    assert (folder / "report.html").read_text() == "['pushed_model'] ['7', '']"
    assert (folder / "facts.json").read_text() == "{}"
    assert figures.describe({"report": [artifact]}) == "a page of 0.0 MB"


@pytest.mark.parametrize("path", ["no.such.module", "components.report.executor.Missing"])
def test_what_goes_wrong_is_a_page_that_says_so(make, path, caplog):
    folder, _ = make(path)
    text = (folder / "report.html").read_text()
    assert "The page could not be made" in text and "Error" in text
    assert "No report" in caplog.text
