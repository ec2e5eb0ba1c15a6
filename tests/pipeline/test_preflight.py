"""What is found before anything is run, by every command in the same way."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.errors import UserError
from components.example_gen.fixes import DROP, RELABEL, Fix, write_fixes
from pipeline import preflight, schema
from pipeline.config import Recipe, load_recipe
from pipeline.preflight import Scope


@pytest.fixture
def recipe(tmp_path, write_pictures):
    """`recipe(*overrides)` is one that can be run; its pictures and runs lie in `tmp_path`."""
    write_pictures(tmp_path / "pictures", per_class=2)

    def recipe(*overrides: str) -> Recipe:
        own = [f"data.source={tmp_path}/pictures", f"workspace={tmp_path}/runs"]
        return load_recipe("digits", [*own, "data.min_per_class=1", *overrides])

    return recipe


def test_it_hands_on_what_it_opened_and_leaves_nothing_behind(recipe, tmp_path):
    found = preflight.inspect(
        recipe(f"pseudo_labels.source={tmp_path}/pictures/bar"), Scope.MACHINE
    )
    assert found.source.classes == ("bar", "disc", "frame")
    assert len(found.source.items) == 6 and len(found.unlabelled.items) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_it_says_what_the_test_split_can_prove(recipe):
    chosen = recipe(
        "data.split={train: 0.25, validation: 0.25, test: 0.5}", "evaluation.slices=[width]"
    )
    found = preflight.inspect(chosen, Scope.MACHINE)
    line, notes = preflight.foresee(chosen, found.source)
    assert line.startswith(
        "Test split: about 3 pictures, which prove an accuracy of 0.3684 at best"
    )
    assert notes == ["accuracy 0.95 cannot be proved with about 3 test pictures: it needs 59"]


def test_it_says_that_a_folder_named_as_a_split_is_a_class(recipe, tmp_path):
    (tmp_path / "pictures" / "bar").rename(tmp_path / "pictures" / "Train")
    chosen = recipe()
    _, notes = preflight.foresee(chosen, preflight.inspect(chosen, Scope.MACHINE).source)
    assert notes[-1] == "Train is taken for a class, not for a split, as it is beside disc, frame"


def test_it_says_what_the_validation_split_cannot_teach(recipe):
    chosen = recipe(
        "data.split={train: 0.25, validation: 0.5, test: 0.25}", "serving.label_set=0.95"
    )
    found = preflight.inspect(chosen, Scope.MACHINE)
    _, notes = preflight.foresee(chosen, found.source)
    assert notes[-1] == (
        "serving.label_set: 0.95 needs 19 validation pictures and there are about 3: every class "
        "would be in every label set"
    )


def test_the_fingerprint_follows_labelled_and_unlabelled_pictures(recipe, tmp_path, write_pictures):
    write_pictures(tmp_path / "more", per_class=1)

    def fingerprint(*overrides: str) -> str:
        return preflight.inspect(recipe(*overrides), Scope.MACHINE).fingerprint

    before = fingerprint()
    assert fingerprint() == before
    unlabelled = f"pseudo_labels.source={tmp_path}/more"
    first = fingerprint(unlabelled)
    (tmp_path / "more" / "bar" / "000.jpg").unlink()
    assert len({before, first, fingerprint(unlabelled)}) == 3
    (tmp_path / "pictures" / "bar" / "000.jpg").touch()
    assert fingerprint() != before


def test_the_fingerprint_follows_the_fixes_and_not_their_file(recipe, tmp_path):
    before = preflight.inspect(recipe(), Scope.MACHINE).fingerprint
    drop = Fix(DROP, "", "bar/000.jpg")
    first, second = {"a" * 64: drop}, {"a" * 64: drop, "b" * 64: drop}
    third = {"a" * 64: Fix(RELABEL, "disc", "bar/000.jpg")}
    seen = []
    for name, content in (("one", first), ("other", first), ("more", second), ("new", third)):
        write_fixes(tmp_path / name, content)
        found = preflight.inspect(recipe(f"data.fixes={tmp_path / name}"), Scope.MACHINE)
        seen.append(found.fingerprint)
    assert seen[0] == seen[1] and len({before, *seen}) == 4


def test_a_fix_to_an_unknown_class_is_found(recipe, tmp_path):
    write_fixes(tmp_path / "fixes", {"a" * 64: Fix(RELABEL, "disk", "bar/000.jpg")})
    with pytest.raises(UserError, match=r"no class 'disk' \(did you mean `disc`\?\)"):
        preflight.inspect(recipe(f"data.fixes={tmp_path}/fixes"), Scope.MACHINE)


def test_a_class_that_is_too_small_is_found_unless_a_fix_may_add_to_it(recipe, tmp_path):
    (tmp_path / "pictures" / "disc" / "001.jpg").unlink()
    assert preflight.inspect(recipe("data.min_per_class=1"), Scope.MACHINE)
    chosen = recipe("data.min_per_class=2", f"data.fixes={tmp_path}/fixes")
    write_fixes(tmp_path / "fixes", {"a" * 64: Fix(RELABEL, "bar", "disc/000.jpg")})
    message = r"class 'disc' in .*/pictures has 1 picture\(s\), data.min_per_class asks .* least 2"
    with pytest.raises(UserError, match=message):
        preflight.inspect(chosen, Scope.MACHINE)
    write_fixes(tmp_path / "fixes", {"a" * 64: Fix(RELABEL, "disc", "bar/000.jpg")})
    assert preflight.inspect(chosen, Scope.MACHINE)


def test_a_label_that_the_schema_does_not_know_is_found(recipe, tmp_path, monkeypatch):
    filled = 'string_domain { name: "classes" value: "bar" value: "disc" }'
    text = schema.CURATED.read_text().replace('string_domain { name: "classes" }', filled)
    (tmp_path / "schema.pbtxt").write_text(text)
    monkeypatch.setattr(schema, "CURATED", tmp_path / "schema.pbtxt")
    says = r"1 class\(es\) that the schema does not know: frame\. It knows bar, disc: "
    with pytest.raises(UserError, match=says):
        preflight.inspect(recipe(), Scope.MACHINE)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("data.source=nowhere", "nowhere does not exist"),
        ("data.fixes=nowhere.csv", "data.fixes nowhere.csv does not exist"),
        ("evaluation.slices=[brigtness]", r"slices: .* no column brigtness \(did you mean `brigh"),
        ("pseudo_labels.source=nowhere", "nowhere does not exist"),
        ("distillation.teacher=nowhere", "distillation.teacher: nowhere"),
        ("training.class_weights={disk: 2}", "training.class_weights"),
        ("head.output=logit", "head.output"),
        ("push.destination=file/serving", "push.destination: .*file/serving cannot be made"),
        ("workspace=file", "workspace: .*file/digits cannot be made"),
        ("workspace='runs [old]'", r"workspace: .*/runs \[old\]/digits has one of \*, \? and \["),
    ],
)
def test_a_mistake_is_found_without_tensorflow(override, says, recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # an import would fail
    with pytest.raises(UserError, match=says) as error:
        preflight.inspect(recipe(override), Scope.MACHINE)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "pictures"]


def test_a_key_that_cannot_sign_is_found_before_anything_is_trained(recipe, signing_keys):
    preflight.inspect(recipe(f"push.sign.key={signing_keys}/own.pem"), Scope.MACHINE)
    broken = recipe(f"push.sign.key={signing_keys}/own.pub")
    with pytest.raises(UserError, match=r"push\.sign\.key: .* is no private key"):
        preflight.inspect(broken, Scope.MACHINE)
    preflight.inspect(broken, Scope.CLUSTER)


def test_a_folder_that_must_not_be_written_is_no_mistake_of_the_recipe(
    recipe, tmp_path, monkeypatch
):
    def refused(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(preflight.tempfile, "TemporaryFile", refused)
    with pytest.raises(PermissionError, match=rf"'{tmp_path}'$"):
        preflight.inspect(recipe(), Scope.MACHINE)


def test_for_a_cluster_nothing_of_this_machine_is_looked_at(recipe):
    found = preflight.inspect(
        recipe("data.source=/mnt/there", "workspace=/dev/null"), Scope.CLUSTER
    )
    assert found.source is None and found.fingerprint == ""
    flink = ["beam.runner=flink", "beam.flink={master: 'f:1', worker_pool: 'w:1'}"]
    with pytest.raises(UserError, match=r"beam\.runner"):
        preflight.inspect(recipe(*flink), Scope.CLUSTER)


def test_importing_it_is_cheap():
    heavy = {"tensorflow", "tfx", "keras", "apache_beam", "sklearn"}
    code = (
        f"import sys, pipeline.preflight; assert not {heavy} & set(sys.modules), set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("training.unfrozen.fine_tune_at=block_99", r"training\.unfrozen\.fine_tune_at"),
        ("training.device=gpu", r"training\.device is `gpu`"),
        ("beam.extra=[--paralelism=2]", r"beam\.extra: .* --paralelism"),
    ],
)
def test_what_needs_tensorflow_or_beam_is_found_before_the_first_node(
    override, says, recipe, monkeypatch
):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda *_: [])
    with pytest.raises(UserError, match=says):
        preflight.check_network(recipe(override))


def test_every_command_asks_it():
    commands = Path(preflight.__file__).parent / "commands"
    for name in ("validate", "doctor", "local_run"):
        text = (commands / f"{name}.py").read_text().replace("preflight.", "")
        assert "found = inspect(recipe" in text, name
    for name in ("validate", "doctor"):
        assert "preflight.check_network(" in (commands / f"{name}.py").read_text(), name


def test_a_download_is_announced_once(loopback_folder, tmp_path, monkeypatch, capsys):
    address = loopback_folder(tmp_path)
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path / "cache"))
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in ("a/1.jpg", "b/1.jpg"):
            archive.writestr(path, path)
    digest = hashlib.sha256((tmp_path / "pets.zip").read_bytes()).hexdigest()
    overrides = [
        f"data.source={address}/pets.zip",
        f"data.sha256={digest}",
        f"workspace={tmp_path / 'runs'}",
        "data.min_per_class=1",
    ]
    recipe = load_recipe("digits", overrides)
    found = preflight.inspect(recipe, preflight.Scope.MACHINE)
    assert len(found.source.items) == 2
    assert capsys.readouterr().err.startswith(f"Downloading {address}/pets.zip to {tmp_path}/cache")
    assert preflight.inspect(recipe, preflight.Scope.MACHINE).fingerprint == found.fingerprint
    assert capsys.readouterr().err == ""


def test_fixes_in_another_order_are_the_same():
    fixes = {"a" * 64: Fix(DROP, "", "a.jpg"), "b" * 64: Fix(DROP, "", "b.jpg")}
    turned = dict(reversed(fixes.items()))
    assert preflight.Inspection(fixes=fixes).fingerprint == (
        preflight.Inspection(fixes=turned).fingerprint
    )


def test_what_must_be_written_to_be_listed_goes_where_it_was_told(tmp_path):
    recipe = load_recipe("digits", [f"workspace={tmp_path / 'runs'}"])
    preflight.inspect(recipe, Scope.MACHINE, tmp_path / "scratch")
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]


def test_every_slice_is_a_fact_or_a_column_of_the_manifest(recipe, tmp_path):
    rows = [f"{kind}/00{n}.jpg,{kind},here" for kind in ("bar", "disc") for n in (0, 1)]
    manifest = tmp_path / "pictures" / "labels.csv"
    manifest.write_text("\n".join(["path,label,Site", *rows]))
    source = f"data.source={manifest}"
    preflight.inspect(recipe(source, "evaluation.slices=[width, column_Site]"), Scope.MACHINE)
    for second in ("column_Side", "widht"):
        with pytest.raises(UserError, match=rf"no column {second}\b"):
            preflight.inspect(recipe(source, f"evaluation.slices=[width, {second}]"), Scope.MACHINE)


def test_a_column_of_too_many_values_for_slices_is_told_before_training(recipe, tmp_path):
    manifest = tmp_path / "pictures" / "labels.csv"

    def check(values: int, splits: tuple[str, ...]):
        rows = [
            f"bar/{n}.jpg,{'ab'[n % 2]},{splits[n % len(splits)]},site {n // len(splits) % values}"
            for n in range(len(splits) * 35)
        ]
        first = f"bar/000.jpg,a,{splits[0]},site 0"
        manifest.write_text("\n".join(["path,label,split,Site", first, *rows]))
        chosen = recipe(f"data.source={manifest}", "evaluation.slices=[width, Site]")
        preflight.inspect(chosen, Scope.MACHINE)

    check(30, ("train", "test", "validation"))
    with pytest.raises(UserError, match=r"slices: Site has about 31 different values"):
        check(31, ("train", "test", "validation"))
    check(35, ("",))  # of which the test split gets a few


def test_pictures_with_and_without_a_split_are_counted_together():
    counts = {None: {"a": 13, "b": 0}, "test": {"a": 3, "b": 4}}
    source = SimpleNamespace(classes=("a", "b"), splits=frozenset({"test"}), counts=lambda: counts)
    recipe = load_recipe("digits", ["data.split={train: 0.5, validation: 0.3, test: 0.2}"])
    assert preflight._split_counts(recipe, source, "test") == {"a": 6, "b": 4}
    assert preflight._split_counts(recipe, source, "validation") == {"a": 4, "b": 0}
    source.classes = ("a", "b", "Train")
    source.counts = lambda: {"test": {"a": 3, "b": 4, "Train": 5}}
    _, notes = preflight.foresee(recipe, source)
    assert not any("taken for a class" in note for note in notes), "it has splits of its own"


@pytest.mark.parametrize(
    ("classes", "splits"), [(("a", "Train"), {"test"}), (("Train", "val"), set())]
)
def test_classes_that_were_called_as_splits_on_purpose_are_not_told_of(classes, splits):
    counts = {"test" if splits else None: dict.fromkeys(classes, 3)}
    source = SimpleNamespace(classes=classes, splits=frozenset(splits), counts=lambda: counts)
    _, notes = preflight.foresee(load_recipe("digits"), source)
    assert notes and not any("taken for a class" in note for note in notes)


def test_values_that_the_test_split_may_only_have_by_luck_do_not_count():
    recipe = load_recipe("digits", ["data.split={train: 0.5, validation: 0.3, test: 0.2}"])

    def counted(*split_of_pictures: str | None) -> int:
        """Of a hundred values, each of which so many pictures have."""
        items = [
            SimpleNamespace(columns=("same", f"value {number}"), split=split)
            for number in range(100)
            for split in split_of_pictures
        ]
        splits = frozenset(filter(None, split_of_pictures))
        source = SimpleNamespace(items=items, splits=splits)
        return preflight._values_in_test(recipe, source, 1)

    assert counted("test") == counted("test", "train") == 100
    # 36 of them, less three times the 4.8 by which that may be wrong.
    assert counted(None, None) == 22


@pytest.mark.parametrize("runner", ["dask", "direct"])
def test_a_cluster_that_is_wanted_is_looked_for(recipe, monkeypatch, runner):
    asked, devices, networks = [], [], []
    monkeypatch.setattr(preflight.dask_cluster, "check", asked.append)
    monkeypatch.setattr(preflight.checks, "check_network", networks.append)
    monkeypatch.setattr("components.trainer.fitting.devices.check_device", devices.append)
    wanted = recipe(f"beam.runner={runner}", "beam.dask.scheduler=tcp://dask:8786")
    preflight.check_network(wanted)
    assert asked == ["tcp://dask:8786"] * (runner == "dask")
    assert (devices, networks) == ([wanted.training], [wanted.trainer])


def test_an_option_that_beam_has_not_is_found_before_a_device_is_looked_for(recipe, monkeypatch):
    monkeypatch.setattr("components.trainer.fitting.devices.check_device", pytest.fail)
    with pytest.raises(UserError, match=r"beam\.extra: .* --paralelism"):
        preflight.check_network(recipe("beam.extra=[--paralelism=2]"))


@pytest.mark.parametrize("source", ["s3://pets/pictures", "/srv/pictures", "digits"])
def test_what_is_read_in_place_is_not_said_to_be_downloaded(capsys, source):
    preflight.announce_download(load_recipe("digits", [f"data.source={source}"]).data)
    assert capsys.readouterr().err == ""


def test_a_download_that_would_be_refused_is_not_announced(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAFT_CACHE", str(tmp_path))
    page = ["data.source=https://pets.example/pets.html", f"data.sha256={'a' * 64}"]
    with pytest.raises(UserError, match="is the address of no archive"):
        preflight.open_labelled(load_recipe("digits", page), tmp_path)
    assert capsys.readouterr().err == ""


def test_a_bucket_is_asked_before_anything_runs(recipe, monkeypatch):
    asked = []
    monkeypatch.setattr(preflight.destinations, "check_readable", asked.append)
    preflight.inspect(recipe("push.destination=s3://models/pets"), Scope.MACHINE)
    assert asked == ["s3://models/pets"]
