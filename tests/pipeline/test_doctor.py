"""`graft doctor`: what each check finds."""

import importlib.metadata
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from components.errors import UserError
from pipeline.beam_config import BeamSettings
from pipeline.commands import doctor
from pipeline.config import load_recipe
from pipeline.preflight import Inspection, Scope


@pytest.mark.parametrize(("free", "passes"), [(2 << 30, True), ((2 << 30) - 1, False)])
@pytest.mark.parametrize("there", ["runs", "runs/digits/x"])
def test_the_disk_is_that_on_which_the_folder_is_or_will_be(
    tmp_path, monkeypatch, free, passes, there
):
    asked = []

    def disk_usage(folder: Path):
        asked.append(folder)
        return SimpleNamespace(free=free)

    monkeypatch.setattr(doctor.shutil, "disk_usage", disk_usage)
    monkeypatch.chdir(tmp_path)
    (tmp_path / there).mkdir(parents=True)
    found = doctor._ask("Free disk", doctor._disk, Path("runs/digits/x"))
    assert found == (passes, "Free disk", "2.1 GB (a run wants at least 2.1 GB)")
    assert asked == [tmp_path / there]


@pytest.mark.parametrize(
    ("version", "line"),
    [("1.16.0", "compatible line"), ("1.17.0", "modern line"), ("1.17.1", "modern line")],
)
def test_the_line_of_tfx_is_told_by_its_version(monkeypatch, version, line):
    for name in ("tfx", "tfx.types"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(importlib.metadata, "version", lambda _: version)
    assert doctor._tfx().startswith(f"{version}, {line}")


def test_what_cannot_be_imported_or_is_no_option_is_a_finding_of_its_own(monkeypatch, capfd):
    for name in ("tfx.types", "keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)
    for check in ("_disk", "_recipe"):
        monkeypatch.setattr(doctor, check, lambda _: "found")
    assert doctor.examine("digits", ["beam.extra=[--no_such]"], False) == 1
    shown = [line.split("│")[1:4] for line in capfd.readouterr().out.splitlines() if "│" in line]
    rows = [[cell.strip() for cell in row] for row in shown if row[0].strip()]
    assert [mark for mark, _, _ in rows] == ["✓", "✗", "✗", "✗", "✗", "✓", "✓"]
    says = ["import of tfx.types", "import of keras", "import of tensorflow", "has no option --no_"]
    for (_, _, found), part in zip(rows[1:5], says, strict=True):
        assert part in found


@pytest.mark.parametrize("there", [True, False])
def test_gpus_are_told_by_name(monkeypatch, there):
    import tensorflow as tf

    gpus = [SimpleNamespace(name="GPU:0"), SimpleNamespace(name="GPU:1")] if there else []
    details = {"GPU:0": {"device_name": "H1"}, "GPU:1": {}}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: gpus)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details[gpu.name])
    says = "H1, GPU:1" if there else "none: `training.device: auto` trains on the CPU"
    assert doctor._gpus() == says


def test_the_runner_is_the_one_of_the_recipe():
    beam = BeamSettings(direct={"mode": "multi_processing", "workers": 3})
    found = doctor._beam(beam)
    assert "--direct_num_workers=3" in found
    assert found.startswith(f"{importlib.metadata.version('apache-beam')}, ")


Mistake = namedtuple("Mistake", "inspect network says")
MISTAKES = (
    Mistake(UserError("data.source nowhere"), None, "data.source nowhere"),
    Mistake(OSError(13, "Permission denied", "/srv"), None, "/srv: Permission denied"),
    Mistake(None, UserError("training.device is gpu"), "training.device is gpu"),
    Mistake(None, None, "1,200 pictures of 2 classes"),
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.says)
def test_what_the_recipe_needs_is_looked_at_to_the_last(monkeypatch, mistake):
    source = SimpleNamespace(items=range(1200), classes=("a", "b"))

    def inspect(recipe, scope, scratch):
        assert scope is Scope.MACHINE and scratch.is_dir(), "nothing is left in the workspace"
        if mistake.inspect:
            raise mistake.inspect
        return Inspection(source)

    def check_network(_):
        if mistake.network:
            raise mistake.network

    monkeypatch.setattr(doctor.preflight, "inspect", inspect)
    monkeypatch.setattr(doctor.preflight, "check_network", check_network)
    passes = not (mistake.inspect or mistake.network)
    found = doctor._ask("its needs", doctor._recipe, load_recipe("digits"))
    assert found == (passes, "its needs", mistake.says)


@pytest.mark.parametrize(("has_disk", "verbose"), [(True, True), (False, False)])
def test_one_thing_that_is_missing_is_marked_and_enough_for_exit_code_1(
    monkeypatch, capfd, has_disk, verbose
):
    for check in ("_python", "_tfx", "_tensorflow", "_gpus", "_beam", "_recipe"):
        monkeypatch.setattr(doctor, check, lambda *_: "found")
    monkeypatch.setattr(doctor, "_MIN_FREE_BYTES", 0 if has_disk else 1 << 80)
    monkeypatch.setattr(doctor, "_gpus", lambda: print("noise") or "found")
    assert doctor.examine("digits", [], verbose) == (0 if has_disk else 1)
    shown = capfd.readouterr().out
    assert "Recipe digits" in shown and ("noise" in shown) == verbose
    rows = [line.split("│")[1:3] for line in shown.splitlines() if "│" in line]
    assert [mark.strip() for mark, _ in rows] == ["✓"] * 5 + ["✓" if has_disk else "✗", "✓"]


def test_what_a_run_is_made_with_is_told_by_version():
    import keras
    import tensorflow as tf

    found, version = doctor._python(), ".".join(map(str, sys.version_info[:3]))
    assert found.startswith(version) and found.endswith(" CPU cores")
    assert doctor._tensorflow() == f"{tf.__version__}, Keras {keras.__version__}"
