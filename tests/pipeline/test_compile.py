"""`graft compile`: what it shows of a package, and the files that it does not write."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.filesize import decimal

from pipeline.commands import compile as command
from pipeline.console import make_console
from pipeline.kubeflow.package.documents import Package, RunParameter, Step
from pipeline.kubeflow.package.retries import RetryPolicy

READY = ("kubeflow.pvcs.serving=/mnt/serving", "kubeflow.push_destination=/mnt/serving/digits")


def test_a_package_is_shown_step_by_step():
    def step(name, image="g:1", cached=False, retries=0, **resources):
        return Step(
            name, "", image, (), (), cached, RetryPolicy(retries), (), {}, resources, {}
        )  # fmt: skip

    gpu = {"resourceType": "nvidia.com/gpu", "resourceCount": "2"}
    other = f"registry.example/{'folder/' * 20}g:2"
    steps = (
        step("A", cached=True, resourceCpuRequest="1", resourceCpuLimit="2"),
        step("B", other, retries=3, resourceMemoryLimit="4Gi", accelerator=gpu),
        step("C", resourceMemoryRequest="1Gi", resourceMemoryLimit="1Gi"),
    )
    parameters = (
        RunParameter("epochs", "NUMBER_INTEGER", 0), RunParameter("source", "STRING", None)
    )  # fmt: skip
    console = make_console(file=io.StringIO(), width=100)
    command.show_package(console, Package({}, {}, "tiny", "", steps, parameters))
    text = console.file.getvalue()
    rows = [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["A", "1–2", "", "–", "yes", "–"],
        ["B", "", "4Gi", "2 nvidia.com/gpu", "no", "3"],
        ["C", "", "1Gi", "–", "no", "–"],
        ["epochs", "NUMBER_INTEGER", "0"],
        ["source", "STRING", ""],
    ]
    assert f"\nImage: g:1\nImage of B: {other}\n" in text, "which is not broken"
    console = make_console(file=io.StringIO(), width=100)
    command.show_package(console, Package({}, {}, "tiny", "", steps[::2], ()))
    assert "\nImage of all steps: g:1\n" in console.file.getvalue()
    images = command._images(Package({}, {}, "tiny", "", (*steps[1:], steps[0]), ()))
    assert images == {other: "Image of B", "g:1": "Image"}, "that of most steps, not of the first"


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (None, r"kubeflow\.image is not set"),
        ("x.json", "ends in .yaml"),
        ("in/x.yaml", "no folder in"),
        ("file/x.yaml", "no folder file"),
    ],
)
def test_what_no_cluster_can_run_is_refused_before_tfx_is_started(
    tmp_path, monkeypatch, output, says
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setattr(command, "_compile", lambda *_: pytest.fail("too late"))
    with pytest.raises(ValueError, match=says):
        command.compile_recipe("digits", [], output and Path(output), verbose=False)


@pytest.mark.parametrize(("name", "verbose"), [("a.yaml", False), ("-", False), ("a.yaml", True)])
def test_warnings_and_noise_stay_out_of_what_is_printed(
    tmp_path, monkeypatch, capsys, compiled_json, name, verbose
):
    def compile_package(recipe):
        print("noise of", recipe.name)
        return compiled_json

    monkeypatch.chdir(tmp_path)
    compiler = SimpleNamespace(compile_package=compile_package)
    monkeypatch.setitem(sys.modules, "pipeline.kubeflow.compiler.compile_package", compiler)
    settings = ["kubeflow.image=graft:latest", *READY]
    command.compile_recipe("digits", settings, Path(name), verbose=verbose)
    out, err = capsys.readouterr()
    assert err.count("Warning: kubeflow.image: graft:latest") == 1 and "Warning" not in out
    assert ("noise of digits\n" in out) == verbose
    if name == "-":
        assert out == compiled_json and "Trainer" in err and list(tmp_path.iterdir()) == []
    else:
        assert "Trainer" in out and f"a.yaml: {decimal(Path(name).stat().st_size)}\n" in out
        assert Path(name).read_text() == compiled_json


def test_a_link_to_the_recipe_is_the_recipe(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "mine.yaml")
    with pytest.raises(ValueError, match="that is the recipe"):
        command.check_output(tmp_path / "link.yaml", str(tmp_path / "mine.yaml"))


def test_a_package_that_could_not_be_written_whole_leaves_the_one_before(
    tmp_path, monkeypatch, compiled_json
):
    def full(*_):
        raise OSError(28, "No space left on device")

    package = tmp_path / "a.yaml"
    package.write_text("the one before")
    monkeypatch.setattr(command, "_compile", lambda *_: compiled_json)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        command.compile_recipe("digits", ["kubeflow.image=g:1", *READY], package, verbose=False)
    assert package.read_text() == "the one before"
