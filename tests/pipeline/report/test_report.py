"""The page of a run, of what its nodes left."""

import base64
import dataclasses
import io
import json
import re
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from PIL import Image

from components.errors import UserError
from components.evaluator.thumbnails import THUMBNAILS_FILE
from components.gates import Gate, write_gates
from pipeline.commands import report as report_command
from pipeline.config import load_recipe
from pipeline.report import page

pytestmark = pytest.mark.usefixtures("quick_charts")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, new_run) -> tuple[Path, str]:
    """The recipe of a run that pushed its model, and its page, with its charts."""
    run = new_run(tmp_path_factory.mktemp("whole"))
    run.everything()
    return run.config, run.page("2")


def left_out(text: str) -> list[str]:
    """Why sections are left out."""
    listed = text.partition('<h2 id="left-out-title">')[2]
    return re.findall(r"<li>[\w ,]+: (.*?)\.</li>", listed)


def test_a_pushed_run_shows_everything(whole):
    config, text = whole
    assert left_out(text) == []
    assert "<title>tiny: run 2026-11-24T10:00:00</title>" in text
    assert "Served as version 2: no gate said no." in text
    assert re.search(r"Served now</dt><dd>version 2", text)
    assert re.search(r"Served before</dt><dd>version 1", text)
    assert f"graft versions rollback --recipe {config}" in text
    assert "0.7 … 0.99" in " ".join(text.split())
    flat = " ".join(text.split())
    assert "test split: 0.6667 of the candidate, 1 of the model that was served." in flat
    assert '<th scope="row">candidate wrong</th> <td class="n">1</td><td class="n">0</td>' in flat
    assert "0 got better and 1 worse. The gate" in flat
    assert text.count('role="img"') == 6, "three curves, abstention, calibration twice"
    assert len(text) < 5_000_000


def test_the_page_asks_nobody_for_anything_and_runs_nothing(whole):
    _, text = whole
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    assert "<script" not in text and "<link" not in text and "@import" not in text
    sources = re.findall(r"(?:src|href)=\"([^\"]*)\"", text)
    assert sources and all(one.startswith(("data:image/", "#")) for one in sources)
    images = re.findall("<img [^>]*>", text)
    assert images and all(re.search('alt="[^"]+"', one) for one in images)


def test_a_refused_run_names_the_gates_and_the_worst_is_first(pushed):
    pushed.artifacts["DataGate", "data_blessing"] = pushed.folder / "blessing"
    pushed.artifacts["DataGate", "data_blessing"].mkdir()
    write_gates(pushed.folder / "blessing", [pushed.PASS, pushed.FAIL])
    text = pushed.page()
    assert "Not served. A gate said no: latency." in text
    assert text.index("9 ms, at most 1 allowed") < text.index("0.9 of 10")


def test_a_failed_run_shows_how_far_it_got(run):
    run.data()
    run.node("Trainer", "failed", f"the loss is nan {run.EVIL}")
    text = run.page()
    assert "The run did not get to its end: Trainer (failed)." in text
    assert "<b>Trainer</b>: the loss is nan &lt;img" in text
    assert "the run did not get to the end of Evaluator" in left_out(text)
    assert "No gate was asked" in text and "Served now</dt><dd>nothing" in text
    assert "versions rollback" not in text
    assert "3 are copies of others" in " ".join(text.split())


def test_a_run_that_is_going_on_is_not_told_as_ended(run):
    run.data()
    run.node("Trainer", "running")
    assert '<p class="verdict warn">The run has not ended yet: Trainer (running).' in run.page()


def test_names_never_reach_the_page_as_they_are(run):
    names = ("a", run.EVIL)
    run.data(["a"])
    run.evaluation(names, [[0.1, 0.9]] * 3, [[0.9, 0.1]] * 3)
    run.gates(Gate(run.EVIL, "fail", 1.0, 1.0, run.EVIL))
    text = run.page()
    assert "<img src=x" not in text and "\x1b" not in text and "\u202e" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;\\x1b[31m\\u202egnp" in text
    assert "could not be made" not in text


def test_a_class_that_is_never_predicted_and_a_test_split_of_three(run):
    run.evaluation()
    text = " ".join(run.page().split())
    assert "2 of 3 pictures are right" in text and "never predicted" in text
    assert "0.0943 … 0.9916" in text.replace("0.09430", "0.0943"), "Clopper and Pearson, 2 of 3"
    assert "no model was served: nothing to compare with" in left_out(text)


def test_many_classes_have_a_picture_of_their_matrix_and_clusters(run):
    names = [f"class {number:04}" for number in range(1000)]
    row = [0.0] * 999 + [1.0]
    run.evaluation(names, [row] * 3)
    text = run.page()
    assert "Confusion matrix: share of each class" in text and "<b>class 0000</b> taken for" in text
    assert "<li>class 0000, class 0001, class 0999 (3&nbsp;×)</li>" in text
    assert "All 1,000 classes" in text and "never predicted" in text
    assert len(text) < 5_000_000


def test_pictures_that_the_served_model_has_learnt_do_not_count(pushed):
    (pushed.artifacts["Evaluator", "evaluation"] / "changes.jsonl").write_text("")
    text = " ".join(pushed.page("2").split())
    assert "0 worse, less 1 that the served model has learnt: these do not count." in text


def test_the_facts_hold_no_pictures(pushed):
    pushed.keep_thumbnails("cat/0.jpg", "cat/1.jpg", "dog/0.jpg", heat=True)
    assert "what speaks for" in pushed.page("2")
    assert "data:image" not in page.as_json(pushed.files("2"))


def test_figures_that_are_not_numbers(run):
    run.training(run.NAN)
    run.evaluation(scores=[[run.NAN, run.NAN]] * 3)
    endless = Gate("endless", "fail", float("inf"), 1.0, "no end", (run.NAN, -float("inf")))
    run.gates(Gate("loss", "fail", run.NAN, 1.0, "not a number"), endless)
    text = run.page()
    assert "could not be made" not in text and "not a number" in text
    told = json.loads(page.as_json(run.files()))
    loss, endless = told["verdict"]["gates"]
    assert loss["value"] is None and endless["value"] is None
    assert endless["interval"] == [None, None]


def test_pictures_are_upright_and_small(whole):
    _, text = whole
    (data, *_) = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', text)
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (56, 112)


def test_a_picture_deleted_since_is_shown_and_one_without_thumbnail_has_its_caption(pushed):
    shutil.rmtree(pushed.pictures / "dog")
    assert "not at hand" not in pushed.page("2")
    pushed.keep_thumbnails("cat/1.jpg")
    text = pushed.page("2")
    assert "picture not at hand" in text and "dog/0.jpg" in text
    assert 'alt="cat/1.jpg: a picture of cat"' in text


def test_an_evaluation_of_an_earlier_release_has_captions_alone(pushed):
    (pushed.artifacts["Evaluator", "evaluation"] / THUMBNAILS_FILE).unlink()
    (pushed.artifacts["Trainer", "model_run"] / "views.jpg").unlink()
    text = pushed.page("2")
    assert left_out(text) == [] and "data:image" not in text.partition("<main>")[2]


def test_without_the_source_and_after_pruning(pushed):
    shutil.rmtree(pushed.pictures)
    assert "data:image" in pushed.page("2").partition("<main>")[2]
    shutil.rmtree(pushed.folder / "artifacts")
    text = pushed.page("2")
    assert "what Trainer left has been removed since (graft runs prune)" in left_out(text)
    assert "Served as version 2" in text


def test_damaged_files_leave_out_their_sections_alone(pushed):
    (pushed.artifacts["Trainer", "model_run"] / "training.json").write_text("{")
    (pushed.artifacts["ImageExampleGen", "examples"] / "summary.json").write_text("{}")
    found = left_out(pushed.page("2"))
    assert len(found) == 2 and "training.json is damaged" in found[0]
    assert found[1] == "it could not be made (KeyError: &#39;counts&#39;)"


@pytest.mark.parametrize("name", ["summary.json", "quarantine.jsonl"])
def test_the_file_that_is_damaged_is_named(pushed, name):
    file = pushed.artifacts["ImageExampleGen", "examples"] / name
    file.write_text("{")
    (found,) = left_out(pushed.page("2"))
    assert found.startswith(f"{file} is damaged: ")


def since(runs):
    """Lists those of some runs that are asked for."""
    return lambda folder, since: [run for run in runs if run.started >= since]


@pytest.fixture
def told(pushed, monkeypatch, capfd):
    """Makes the page of the last run, which began at a given time; gives what was printed."""
    run = pushed.files("2").run
    monkeypatch.setattr(report_command.run_history, "list_runs", since([run]))

    def told(since: int = 23) -> str:
        recipe = load_recipe(str(pushed.config))
        begun = datetime(2026, 11, since, tzinfo=timezone.utc)
        report_command.report_last(recipe, str(pushed.config), [], begun, print)
        return capfd.readouterr().out

    return told


def test_a_run_ends_with_its_page(told, pushed):
    path = pushed.folder / "runs" / "tiny" / "reports" / "2026-11-24T10-00-00.html"
    assert f"Report: {path}" in told().replace("\n", "") and path.stat().st_size > 10_000


def test_the_place_of_a_page_is_told_in_full(pushed, monkeypatch):
    monkeypatch.chdir(pushed.folder)
    recipe = load_recipe(str(pushed.config), ["workspace=runs"])
    files = dataclasses.replace(pushed.files(), recipe=recipe)
    assert page.default_path(files).parent == pushed.folder / "runs" / "tiny" / "reports"


def test_a_run_that_did_not_begin_has_none(told, pushed):
    assert told(since=25) == ""


def test_a_page_that_cannot_be_made_is_one_line(told, monkeypatch):
    def fail(files, path):
        raise OSError("disk full")

    monkeypatch.setattr(page, "write_page", fail)
    assert told() == "No report (OSError: disk full)\n"


@pytest.fixture
def command(pushed, monkeypatch, capfd):
    """Calls `graft report`; gives what it printed."""
    run = pushed.files("2").run
    monkeypatch.setattr(report_command.run_history, "find_run", lambda folder, name: run)

    def command(output: Path | None, as_json: bool = False) -> str:
        report_command.report_run(str(pushed.config), [], None, output, False, as_json)
        return capfd.readouterr().out

    return command


def test_the_command_writes_the_page_or_prints_the_facts(command, pushed):
    path = pushed.folder / "new" / "one" / "page.html"
    assert "Report:" in command(path) and path.read_text().startswith("<!doctype html>")
    told = json.loads(command(None, as_json=True))
    assert told["comparison"]["worse"] == 1 and told["verdict"]["served_now"] == "version 2"
    assert not (pushed.folder / "runs" / "tiny" / "reports").exists()


def test_a_page_that_cannot_be_written_is_the_users_to_mend(command, pushed):
    with pytest.raises(UserError, match=r"--output .*source cannot be written: Is a directory"):
        command(pushed.pictures)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (float("nan"), "–"), (3, "3"), (0.95549, "0.9555"), (1.192e-07, "1.192e-07"),
     (43970.2, "43,970"), (1000.0, "1,000"), (-1051.0, "-1,051"), (float("inf"), "inf")],
)  # fmt: skip
def test_figures_are_short(value, shown):
    assert page._figure(value) == shown


def test_facts_and_page_can_be_had_at_once(command, pushed):
    path = pushed.folder / "page.html"
    assert json.loads(command(path, as_json=True))["recipe"] == "tiny" and path.is_file()


@pytest.mark.parametrize("starts", [True, False])
def test_the_page_is_opened_if_asked(pushed, monkeypatch, capfd, starts):
    opened = []
    monkeypatch.setattr(page, "write_page", lambda *_: None)
    monkeypatch.setattr(report_command.webbrowser, "open", lambda uri: opened.append(uri) or starts)
    run, path = pushed.files("2").run, pushed.folder / "page.html"
    monkeypatch.setattr(report_command.run_history, "find_run", lambda folder, name: run)
    for show in (False, True):
        report_command.report_run(str(pushed.config), [], None, path, show, False)
    assert opened == [path.as_uri()]
    warning = f"No browser could be started: open {path}"
    assert (warning in capfd.readouterr().err) != starts


def test_the_commands_of_a_page_have_the_overrides_and_the_run_is_the_one_named(
    pushed, monkeypatch, capfd
):
    run, asked = pushed.files("2").run, []
    monkeypatch.setattr(
        report_command.run_history, "find_run", lambda folder, name: asked.append(name) or run
    )
    overrides = [f"workspace={pushed.folder}/runs", "seed=7"]
    report_command.report_run(str(pushed.config), overrides, "2026", None, False, True)
    told = json.loads(capfd.readouterr().out)
    wanted = f"--recipe {pushed.config} --set workspace={pushed.folder}/runs --set seed=7"
    assert told["verdict"]["roll_back"] == f"graft versions rollback {wanted}"
    assert asked == ["2026"]


def test_a_page_that_a_bug_prevents_is_a_line_after_the_run(told, monkeypatch):
    def fail(files, path):
        raise KeyError("per_class")

    monkeypatch.setattr(page, "write_page", fail)
    assert told() == "No report (KeyError: 'per_class')\n"


def test_the_page_after_a_run_is_of_the_first_that_began_since(pushed, monkeypatch):
    now, made = datetime(2026, 11, 24, tzinfo=timezone.utc), []
    runs = [dataclasses.replace(pushed.files().run, name=name, started=now + timedelta(seconds=s))
            for name, s in (("before", -1), ("this", 0), ("after", 1))]  # fmt: skip
    monkeypatch.setattr(report_command.run_history, "list_runs", since(runs))
    monkeypatch.setattr(page, "write_page", lambda files, path: made.append(files))
    recipe = load_recipe(str(pushed.config))
    report_command.report_last(recipe, str(pushed.config), ["seed=7"], now, print)
    assert [(files.run.name, files.overrides) for files in made] == [("this", ("seed=7",))]
