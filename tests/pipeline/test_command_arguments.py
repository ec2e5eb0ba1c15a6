"""What is typed is what the function behind a command gets, each word in its place."""

import importlib
import inspect
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app

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
    ("report 2026 -r fruit.yaml --json", "report.report_run", {"name": "2026", "as_json": True}),
    (
        "report -r fruit.yaml -o a.html --open",
        "report.report_run",
        {"output": Path("a.html"), "show": True},
    ),
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
        "data labels fruit.yaml --top 5 -o a.png --verbose",
        "data_labels.review_labels",
        {"top": 5, "output": Path("a.png"), "verbose": True},
    ),
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


@pytest.mark.parametrize(
    ("line", "place", "arguments"), COMMANDS, ids=[line for line, *_ in COMMANDS]
)
def test_what_is_typed_is_what_the_function_gets(line, place, arguments, monkeypatch):
    module, name = place.split(".")
    command = importlib.import_module(f"pipeline.commands.{module}")
    signature, calls = inspect.signature(getattr(command, name)), []

    def stand_in(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        calls.append(bound.arguments)
        return 0

    monkeypatch.setattr(command, name, stand_in)
    settings = ["a.b=1", "a.c=2"]
    words = [*line.split(), *(word for one in settings for word in ("--set", one))]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    expected = {"config": CONFIG, "overrides": settings, **arguments}
    if name == "predict_pictures":
        expected["pictures"] = ["a.jpg", "b.jpg"]
    # What is not typed is off.
    (given,) = calls
    assert {key: value for key, value in given.items() if value not in (None, False)} == expected
