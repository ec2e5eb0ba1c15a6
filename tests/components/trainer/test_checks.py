"""Mistakes that are found before anything runs, and without TensorFlow where that can be."""

import subprocess
import sys

import pytest

from components.errors import UserError
from components.trainer import checks
from components.trainer.network import initial_weights
from components.trainer.settings.trainer import TrainerSettings

SMALL = {"alpha": 0.35, "image_size": 32, "weights": "glyphs"}
CLASSES = ("cat", "dog", "fox")


def settings(**blocks):
    return TrainerSettings(**{"backbone": SMALL, **blocks})


@pytest.mark.slow
def test_tensorflow_and_keras_are_not_imported():
    code = (
        "import sys; from components.trainer import checks;"
        "from components.trainer.settings.trainer import TrainerSettings;"
        "settings = TrainerSettings(training={'class_weights': {'a': 2}});"
        "checks.check_files(settings); checks.check_classes(settings, ['a', 'b']);"
        "checks.security_notices(settings);"
        "print([name for name in ('tensorflow', 'keras', 'tfx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ({"training": {"class_weights": {"dogs": 2}}}, r"no class dogs \(did you mean `dog`\?\)"),
        ({"head": {"output": "logit"}}, r"head\.output: `logit` is for two classes"),
        ({"distillation": {"teacher": "x", "classes": ["cat", "dog"]}}, "not know the class fox"),
        (
            {"serving": {"abstain": {"accuracy": 0.3}}},
            r"serving\.abstain\.accuracy: 0\.3 is no more than what knowing nothing gets \(0\.333",
        ),
        ({"serving": {"abstain": {"accuracy": 1 / 3}}}, r"0\.333333 is no more than what knowing"),
    ],
)
def test_settings_that_do_not_go_with_the_classes(blocks, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "saved_model.pb").touch()
    checks.check_classes(settings(), CLASSES)
    with pytest.raises(UserError, match=says):
        checks.check_classes(settings(**blocks), CLASSES)


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ({"backbone": {**SMALL, "weights": "nowhere.h5"}}, r"backbone\.weights: there is no file"),
        ({"distillation": {"teacher": "nowhere"}}, r"distillation\.teacher: nowhere is no folder"),
    ],
)
def test_paths_that_lead_nowhere(blocks, says):
    checks.check_files(settings())
    with pytest.raises(UserError, match=says):
        checks.check_files(settings(**blocks))


@pytest.fixture(scope="module")
def network():
    return initial_weights.pretrained_network(initial_weights.without_weights(settings().backbone))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("training", "says"),
    [
        (
            {"unfrozen": {"fine_tune_at": 154}},
            r"training\.unfrozen\.fine_tune_at is 154, but m",
        ),
        (
            {"phases": [{"name": "top", "fine_tune_at": "block_1_expend"}]},
            r"training\.phases\.top\.fine_tune_at: .*no layer block_1_expend \(did you mean `",
        ),
        (
            {"phases": [{"name": "top", "fine_tune_at": 9}, {"name": "all", "fine_tune_at": 999}]},
            r"training\.phases\.all\.fine_tune_at is 999, but m",
        ),
    ],
)
def test_layers_that_are_not_there(training, says, network, monkeypatch):
    monkeypatch.setattr(initial_weights, "pretrained_network", lambda backbone: network)
    checks.check_network(settings())
    with pytest.raises(UserError, match=says):
        checks.check_network(settings(training=training))


def test_weights_from_a_server_are_fetched_and_others_are_not_read(monkeypatch):
    asked = []

    def network(backbone):
        asked.append(backbone.weights)
        raise UserError("backbone.weights: imagenet: they cannot be downloaded")

    monkeypatch.setattr(initial_weights, "pretrained_network", network)
    checks.check_network(settings(training={"unfrozen": {"epochs": 0}}))
    checks.check_network(settings(training={"unfrozen": {"fine_tune_at": "all"}}))
    assert asked == [], "there is nothing to find out"
    with pytest.raises(UserError, match="cannot be downloaded"):
        checks.check_network(TrainerSettings(training={"unfrozen": {"epochs": 0}}))
    with pytest.raises(UserError):
        checks.check_network(settings())
    assert asked == ["imagenet", "none"]


def test_the_folder_of_a_saved_model_is_looked_at():
    backbone = {"name": "saved_model", "weights": "nowhere"}
    frozen = {"unfrozen": {"epochs": 0}}
    with pytest.raises(UserError, match=r"backbone\.weights: there is no folder nowhere"):
        checks.check_network(TrainerSettings(backbone=backbone, training=frozen))


def test_programs_from_elsewhere_are_told():
    assert checks.security_notices(settings()) == []
    notices = checks.security_notices(
        TrainerSettings(
            backbone={"name": "saved_model", "weights": "/theirs"},
            training={"unfrozen": {"epochs": 0}},
            distillation={"teacher": "/old"},
        )
    )
    assert [notice.split(":")[0] for notice in notices] == [
        "backbone.weights",
        "distillation.teacher",
    ]
    assert all("is a program" in notice for notice in notices)
    assert "/theirs" in notices[0] and "/old" in notices[1]


def test_what_is_loaded_may_only_compute(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(checks, "require_computing", lambda *given: asked.append(given))
    for name in ("theirs", "teacher"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    frozen = {"unfrozen": {"epochs": 0}}
    taught = {"distillation": {"teacher": str(tmp_path / "teacher")}, "training": frozen}
    theirs = {"name": "saved_model", "weights": str(tmp_path / "theirs")}
    checks.check_network(settings(**taught))
    assert asked == [("distillation.teacher", tmp_path / "teacher")]
    checks.check_network(settings(backbone=theirs, **taught))
    assert asked[1:] == [asked[0], ("backbone.weights", tmp_path / "theirs")]
