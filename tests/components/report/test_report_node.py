"""The node Report, which never stops a run."""

from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components.report import figures
from components.report.executor import Executor

TOLD = {
    "pushed_version": "7",
    "pushed_destination": "/serving/7",
    "compared_version": "6",
    "digest": "0a1b",
}


@pytest.fixture
def make(tmp_path):
    """Runs the executor; gives the folder that it left, and its artifact."""

    def make(path: str):
        pushed, report = standard_artifacts.PushedModel(), standard_artifacts.ModelEvaluation()
        pushed.uri, report.uri = str(tmp_path / "pushed"), str(tmp_path / "report")
        Path(report.uri).mkdir()
        for name, value in TOLD.items():
            pushed.set_string_custom_property(name, value)
        Executor().Do(
            {"pushed_model": [pushed]},
            {"report": [report]},
            {"make": path, "provenance": '{"recipe": {}}'},
        )
        return Path(report.uri), report

    return make


def test_it_hands_on_what_it_has_and_keeps_what_is_made_of_it(make, monkeypatch):
    from components.report import executor

    def page(inputs, pushed, provenance):
        assert pushed == {**TOLD, "already_served": ""}
        return f"{inputs['pushed_model'].name} {'x' * 160_000}", provenance

    monkeypatch.setattr(executor, "page_of_a_test", page, raising=False)
    folder, artifact = make("components.report.executor.page_of_a_test")
    assert (folder / "report.html").read_text() == f"pushed {'x' * 160_000}"
    assert (folder / "facts.json").read_text() == '{"recipe": {}}'
    assert figures.describe({"report": [artifact]}) == "a page of 0.2 MB"
    (folder / "report.html").unlink()
    assert figures.describe({"report": [artifact]}) == ""


@pytest.mark.parametrize("path", ["no.such.module", "components.report.executor.Missing"])
def test_what_goes_wrong_is_a_page_that_says_so(make, path, caplog):
    folder, _ = make(path)
    text = (folder / "report.html").read_text()
    assert "The page could not be made" in text and "Error" in text
    assert (folder / "facts.json").read_text() == "{}"
    assert "No report" in caplog.text


def test_what_went_wrong_is_text_and_no_part_of_the_page(make, monkeypatch):
    from components.report import executor

    def fail(*_):
        raise ValueError("<script>alert(1)</script>")

    monkeypatch.setattr(executor, "page_of_a_test", fail, raising=False)
    folder, _ = make("components.report.executor.page_of_a_test")
    text = (folder / "report.html").read_text()
    assert "ValueError: &lt;script&gt;alert(1)" in text and "<script" not in text
