"""What is typed is what the function behind a command gets, each word in its place."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.errors import UserError
from pipeline.cli import app
from pipeline.commands.submit import Options

pytestmark = pytest.mark.one_line

CONFIG = "fruit.yaml"
COMMANDS = [
    ("run fruit.yaml", "run.run_recipe", {}),
    ("run fruit.yaml --wait", "run.run_recipe", {"wait": True}),
    ("run fruit.yaml --verbose", "run.run_recipe", {"verbose": True}),
    ("run fruit.yaml --json", "run.run_recipe", {"as_json": True}),
    ("lr-find fruit.yaml", "lr_find.find_rate", {}),
    ("lr-find fruit.yaml --phase top --wait", "lr_find.find_rate", {"phase": "top", "wait": True}),
    (
        "lr-find fruit.yaml -o a.png -v",
        "lr_find.find_rate",
        {"output": Path("a.png"), "verbose": True},
    ),
    ("validate fruit.yaml", "validate.validate_recipe", {}),
    ("predict a.jpg b.jpg -r fruit.yaml", "predict.predict_pictures", {"output": "table"}),
    (
        "predict a.jpg b.jpg -r fruit.yaml --json --model m --verbose",
        "predict.predict_pictures",
        {"output": "json", "model": Path("m"), "verbose": True},
    ),
    (
        "predict a.jpg b.jpg -r fruit.yaml --csv --sheet a.png --explain",
        "predict.predict_pictures",
        {"output": "csv", "sheet": Path("a.png"), "explain": True},
    ),
    ("report -r fruit.yaml", "report.report_run", {}),
    (
        "report 2026-11-30T12 -r fruit.yaml --json",
        "report.report_run",
        {"name": "2026-11-30T12", "as_json": True},
    ),
    (
        "report -r fruit.yaml -o a.html --open",
        "report.report_run",
        {"output": Path("a.html"), "show": True},
    ),
    ("report -r fruit.yaml --output a.html", "report.report_run", {"output": Path("a.html")}),
    ("report -r fruit.yaml --out a.html", "report.report_run", {"output": Path("a.html")}),
    ("doctor fruit.yaml", "doctor.examine", {}),
    ("doctor fruit.yaml --verbose", "doctor.examine", {"verbose": True}),
    ("runs list fruit.yaml", "runs.list_runs", {}),
    ("runs list fruit.yaml --json", "runs.list_runs", {"as_json": True}),
    ("runs show -r fruit.yaml", "runs.show_run", {}),
    ("runs show 2026 -r fruit.yaml --json", "runs.show_run", {"name": "2026", "as_json": True}),
    ("runs prune fruit.yaml --keep 3", "runs.prune_runs", {"keep": 3}),
    ("versions list fruit.yaml", "versions.list_versions", {}),
    ("versions list fruit.yaml --json", "versions.list_versions", {"as_json": True}),
    (
        "versions show 7 -r fruit.yaml --json",
        "versions.show_version",
        {"name": "7", "as_json": True},
    ),
    ("versions diff 6 7 -r fruit.yaml", "versions.diff_versions", {"first": "6", "second": "7"}),
    (
        "versions diff 6 7 -r fruit.yaml --json",
        "versions.diff_versions",
        {"first": "6", "second": "7", "as_json": True},
    ),
    ("versions rollback -r fruit.yaml", "versions.roll_back", {"reason": ""}),
    (
        "versions rollback 6 -r fruit.yaml --reason wrong",
        "versions.roll_back",
        {"name": "6", "reason": "wrong"},
    ),
    ("versions prune fruit.yaml --keep 3", "versions.prune_versions", {"keep": 3}),
    ("verify -r fruit.yaml", "versions.verify", {}),
    (
        "verify 7 -r fruit.yaml --key k.pem",
        "versions.verify",
        {"name": "7", "key": Path("k.pem")},
    ),
    (
        "reproduce 7 -r fruit.yaml --wait",
        "reproduce.reproduce",
        {"version": "7", "wait": True},
    ),
    (
        "reproduce 7 -r fruit.yaml --verbose",
        "reproduce.reproduce",
        {"version": "7", "verbose": True},
    ),
    (
        "data show fruit.yaml -o a.png --wait",
        "data_show.show_data",
        {"output": Path("a.png"), "wait": True},
    ),
    ("data show fruit.yaml --verbose", "data_show.show_data", {"verbose": True}),
    ("data labels fruit.yaml --wait", "data_labels.review_labels", {"top": 90, "wait": True}),
    (
        "data labels fruit.yaml --top 1 -o a.png --verbose",
        "data_labels.review_labels",
        {"top": 1, "output": Path("a.png"), "verbose": True},
    ),
    ("data labels fruit.yaml --top 1000", "data_labels.review_labels", {"top": 1000}),
    (
        "data relabel a.csv -r fruit.yaml -o b.csv",
        "data_relabel.relabel",
        {"decisions": Path("a.csv"), "output": Path("b.csv")},
    ),
    ("schema infer fruit.yaml --force", "schema.infer_schema", {"force": True}),
    (
        "schema infer fruit.yaml -o a.pbtxt --wait",
        "schema.infer_schema",
        {"output": Path("a.pbtxt"), "wait": True},
    ),
    ("schema infer fruit.yaml --verbose", "schema.infer_schema", {"verbose": True}),
    (
        "schema check fruit.yaml --schema a.pbtxt --wait",
        "schema.check_schema",
        {"file": Path("a.pbtxt"), "wait": True},
    ),
    ("schema check fruit.yaml --verbose", "schema.check_schema", {"verbose": True}),
    ("compile fruit.yaml -o a.yaml", "compile.compile_recipe", {"output": Path("a.yaml")}),
    ("compile fruit.yaml --verbose", "compile.compile_recipe", {"verbose": True}),
    (
        "publish s3://models/fruit fruit.yaml --version 7",
        "publish.publish_version",
        {"address": "s3://models/fruit", "version": "7"},
    ),
    (
        "register fruit.yaml --registry http://r --version 7 --name n --uri pvc://m/7"
        " --token-file t",
        "register.register_version",
        {
            "registry": "http://r",
            "version": "7",
            "name": "n",
            "uri": "pvc://m/7",
            "token_file": Path("t"),
        },
    ),
]


# Two that do not begin with a recipe that nobody named.
ASKED = ("validate.validate_recipe", "compile.compile_recipe")
SUBMIT = {
    "--host http://h": {"host": "http://h"},
    "--token-file t": {"token_file": Path("t")},
    "--ca-cert c.pem": {"ca_cert": Path("c.pem")},
    "-n team": {"namespace": "team"},
    "--experiment e --run-name r": {"experiment": "e", "run_name": "r"},
    "--param a=1 --param b=2": {"params": ("a=1", "b=2")},
    "--pipeline-root s3://b/r": {"pipeline_root": "s3://b/r"},
    "--service-account s": {"service_account": "s"},
    "--no-cache": {"use_cache": False},
    "--pipeline p --pipeline-version v": {"pipeline": "p", "pipeline_version": "v"},
    "--wait --timeout 1 --poll 0.1": {"wait": True, "timeout_seconds": 1, "poll_seconds": 0.1},
    "--replace --cron x": {"replace": True, "cron": "x"},
    "--verbose": {"verbose": True},
    "": {},
}
REHEARSE = {
    "--param a=1 --set b=2": {"overrides": ["a=1", "b=2"]},
    "--work w": {"work": Path("w")},
    "--pipeline-root s3://b/r": {"pipeline_root": "s3://b/r"},
    "--keep": {"keep": True},
    "--no-cache": {"use_cache": False},
    "--order 3": {"order": 3},
    "--verbose": {"verbose": True},
    "": {},
}


@pytest.fixture
def called(monkeypatch):
    """`called(words, place)`: what the function gets that a command calls."""

    def called(words: list[str], place: str) -> dict[str, Any]:
        module, name = place.split(".")
        command = importlib.import_module(f"pipeline.commands.{module}")
        signature, calls = inspect.signature(getattr(command, name)), []

        def stand_in(*args, **kwargs):
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            calls.append(bound.arguments)
            return 0

        monkeypatch.setattr(command, name, stand_in)
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        (given,) = calls
        return given

    return called


@pytest.mark.parametrize(
    ("line", "place", "arguments"), COMMANDS, ids=[line for line, *_ in COMMANDS]
)
def test_what_is_typed_is_what_the_function_gets(line, place, arguments, called):
    settings = ["a.b=1", "a.c=2"]
    words = [*line.split(), *(word for one in settings for word in ("--set", one))]
    given = called(words, place)
    expected = {"config": CONFIG, "overrides": settings, **arguments}
    if place == "predict.predict_pictures":
        expected["pictures"] = ["a.jpg", "b.jpg"]
    # What is not typed is off.
    assert {key: value for key, value in given.items() if value not in (None, False)} == expected


@pytest.mark.parametrize(
    ("line", "place"), sorted({place: (line, place) for line, place, _ in COMMANDS}.values())
)
def test_the_recipe_that_comes_first_is_that_of_digits_as_it_is(line, place, called):
    named = () if place in ASKED else ("-r", CONFIG)
    given = called([word for word in line.split() if word not in named], place)
    assert given["config"] == (CONFIG if place in ASKED else "digits")
    assert given["overrides"] == []


@pytest.mark.parametrize("line", SUBMIT)
def test_each_option_of_a_submission_is_what_it_says(line, called):
    settings = ["--set", "a.b=1"] if line else []
    given = called(["submit", "a.yaml", *line.split(), *settings], "submit.submit_package")
    assert (given["target"], given["overrides"]) == ("a.yaml", settings[1:])
    assert given["options"] == Options(**SUBMIT[line])


@pytest.mark.parametrize("line", REHEARSE)
def test_each_option_of_a_rehearsal_is_what_it_says(line, called):
    none = {"work": None, "overrides": [], "pipeline_root": "", "keep": False, "verbose": False}
    expected = none | {"path": Path("a.yaml"), "use_cache": True, "order": None} | REHEARSE[line]
    words = ["rehearse", "a.yaml", *line.split()]
    assert called(words, "rehearse.rehearse_package") == expected


@pytest.mark.parametrize(
    "line",
    [
        "data labels --top 0",
        "data labels --top 1001",
        "submit a.yaml --wait --timeout 0.5",
        "submit a.yaml --wait --poll 0",
    ],
)
def test_a_number_out_of_its_range_is_refused(line):
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 2 and line.split()[-2] in done.output


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("predict a.jpg --json --csv", "--json and --csv are two ways"),
        ("run --json --verbose", "--verbose: the log would stand among the events"),
    ],
)
def test_one_thing_is_printed_in_one_way(line, says):
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 1 and says in str(done.exception)


@pytest.mark.parametrize(
    "line",
    [
        "report RECIPE",
        "runs show RECIPE",
        "versions show RECIPE",
        "versions diff RECIPE 7",
        "versions diff 6 RECIPE",
        "versions rollback RECIPE",
        "verify RECIPE",
        "reproduce RECIPE",
    ],
)
def test_a_recipe_in_the_place_of_a_run_or_a_version_is_told_where_it_belongs(line):
    done = CliRunner().invoke(app, [word.replace("RECIPE", CONFIG) for word in line.split()])
    assert isinstance(done.exception, UserError)
    assert str(done.exception).endswith(f"a recipe is given as --recipe {CONFIG}")


@pytest.mark.parametrize("option", ["--verbose", "--wait"])
@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("run", "run"),
        ("lr-find", "lr_find"),
        ("data show", "data_show"),
        ("data labels", "data_labels"),
        ("schema infer", "schema"),
        ("schema check", "schema"),
    ],
)
def test_what_is_done_with_nodes_heeds_the_log_and_other_runs(
    line, module, option, monkeypatch, tmp_path
):
    begun = []

    def run_locally(recipe, title, work, *, verbose, wait, **_):
        begun.append((recipe.name, title.startswith("digits"), verbose, wait))
        return 7

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"pipeline.commands.{module}.run_locally", run_locally)
    assert CliRunner().invoke(app, [*line.split(), option]).exit_code == 7
    assert begun == [("digits", True, option == "--verbose", option == "--wait")]
