"""The command line: exit codes and messages, in processes of their own."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def graft(forked, tmp_path):
    """`graft(*args)` runs the command in an empty folder."""
    return lambda *args: forked.run(["-m", "pipeline.cli", *map(str, args)], tmp_path)


def test_help_and_what_looks_at_versions_import_nothing_heavy(tmp_path):
    code = (
        "import sys, pipeline.cli, pipeline.commands.register, pipeline.commands.versions\n"
        "try: pipeline.cli.app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'tfx', 'keras', 'apache_beam', 'sklearn', 'scipy', 'numpy'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("run", "validate", "predict", "versions", "doctor"))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["run", "digts"], "did you mean `digits`?"),
        (["run", "--set", "training.unfrozen.epocs=3"], "did you mean `epochs`?"),
        (["validate", "digits", "--set", "data.source=nowhere"], "does not exist"),
        (["versions", "list", "--set", "seed=-1"], "seed: input should be greater"),
        (
            ["lr-find", "--phase", "frozen", "--set", "training.frozen.epochs=0"],
            "training.frozen.epochs is 0",
        ),
        (["lr-find", "--phase", "top"], "no such phase; it has frozen, unfrozen"),
        (["run", "--set", "distillation.temperature=3"], "distillation.teacher: field required"),
        (["validate", "digits", "--set", "distillation.teacher=x"], "x is no folder that could"),
        (["validate", "digits", "--set", "pseudo_labels.source=x"], "x does not exist: expected"),
        (["lr-find", "--output", "curve.pdf"], "ends in .png"),
        (["data", "show", "-o", "sheet.jpg"], "--output sheet.jpg: what is drawn is a picture"),
        (["data", "labels", "hotdog_from_scratch"], "a network of random weights"),
        (["schema", "check", "--schema", "x.pbtxt"], "there is no schema x.pbtxt"),
        (["compile", "digits"], "kubeflow.image is not set"),
        (["compile", "digits", "-o", "x.json"], "a package is a file that ends in .yaml"),
        (["versions", "show", "fruit.yaml"], "a recipe is given as --recipe fruit.yaml"),
        (["report", "photos"], "a recipe is given as --recipe photos"),
        (["predict", "x.jpg"], "nothing is served at"),
        (["predict", "x.jpg", "--model", "."], "holds no saved_model.pb"),
    ],
)
def test_a_mistake_is_one_message_on_stderr_and_exit_code_2(graft, args, says, tmp_path):
    done = graft(*args)
    assert done.returncode == 2
    assert says in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.startswith("graft: ") and len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_validate_prints_the_whole_recipe_and_what_the_source_holds(
    graft, tmp_path, write_pictures
):
    pictures = write_pictures(tmp_path / "ein Ordner", per_class=3)
    (pictures / "bar" / "notes.txt").touch()
    (pictures / "bar" / "phone.webp").touch()
    done = graft("validate", "digits", "--set", f"data.source={pictures}")
    assert done.returncode == 0, done.stderr
    assert "fine_tune_at: 100" in done.stdout, "defaults are filled in"
    assert all(f"{name}" in done.stdout for name in ("bar", "disc", "frame"))
    assert "10 files" in done.stdout and "1 other file" in done.stdout
    assert "1 WebP: they become PNG for training, and a served model refuses" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["ein Ordner"]


def test_validate_tells_what_a_manifest_holds(graft, tmp_path, write_pictures):
    pictures = write_pictures(tmp_path / "pictures", per_class=3)
    rows = [f"{path.relative_to(pictures)},{path.parent.name}" for path in pictures.rglob("*.*")]
    rows += [rows[0], "bar/gone.png,bar"]
    lines = ["path,label,Taken by", *(f"{row},me" for row in rows)]
    (pictures / "labels.csv").write_text("\n".join(lines))
    source = pictures / "labels.csv"
    done = graft("validate", "digits", "--set", f"data.source={source}")
    assert done.returncode == 0, done.stderr
    for says in (
        "10 files",
        "Further columns, as features of the examples: Taken by as column_Taken_by",
        "1 row(s) say again what an earlier one said",
        "1 file(s) are not there and will be set aside, as bar/gone.png",
    ):
        assert says in " ".join(done.stdout.split())


def test_versions_list_of_an_empty_destination(graft, tmp_path):
    done = graft("versions", "list")
    assert done.returncode == 0 and "Nothing is served" in done.stdout


def test_a_workspace_that_cannot_be_written_is_named(graft, tmp_path):
    (tmp_path / "file").touch()
    done = graft("run", "--set", "workspace=file/runs")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "file/runs/digits" in done.stderr and "Not a directory" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="skipped: only root can mount a small disk")
@pytest.mark.parametrize(
    ("options", "says"),
    [("size=200k", "No space left on device"), ("size=200k,ro", "Read-only file system")],
)
def test_a_disk_that_is_full_or_read_only_is_told_in_one_line(graft, options, says, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("skipped: this machine lets nobody mount a disk")
    try:
        done = graft("run", "--set", f"workspace={disk}/runs")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert says in done.stderr and len(done.stderr.splitlines()) == 1
