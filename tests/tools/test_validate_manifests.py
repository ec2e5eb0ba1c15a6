"""The check of the manifests, with stand-ins for the packages that know the schemas."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

pytestmark = pytest.mark.one_line

FILE = Path(__file__).parents[2] / "tools" / "validate_manifests.py"


def model(**fields: str) -> SimpleNamespace:
    """As the generated models are: Python's names with their types, and JSON's names."""
    names = {name: f"{name}Of" for name in fields}
    return SimpleNamespace(openapi_types=fields, attribute_map=names)


class WrongError(Exception):
    def __init__(self, version: str):
        self.path, self.message = ["spec", 0, "name"], f"wrong in {version}"


class MissingError(Exception):
    message = "no schema"


@pytest.fixture
def validate(monkeypatch):
    """The module; `Pod` is right, `Old` wrong in the newest Kubernetes, `None` unknown."""

    def check(document, version, strict):
        assert strict
        if document["kind"] == "None":
            raise MissingError
        if document["kind"] == "Old" and version == "1.37":
            raise WrongError(version)

    inner = model(number="int", share="float", words="dict(str, str)", on="bool")
    kserve = {"V1beta1Thing": model(name="str", inner="list[Inner]", free="object")}
    client = SimpleNamespace(Inner=inner)
    for name, content in {
        "kserve": kserve,
        "kubernetes": {"client": client},
        "kubernetes.client": vars(client),
        "kubernetes_validate": {
            "validate": check, "ValidationError": WrongError, "SchemaNotFoundError": MissingError
        },
    }.items():  # fmt: skip
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("validate_manifests", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"nameOf": "x", "freeOf": 7}, []),
        ({"nameOf": 7}, [".nameOf: 7 is no str"]),
        ({"named": "x"}, [".named: V1beta1Thing has no such field"]),
        ({"innerOf": "x"}, [".innerOf: 'x' is no list"]),
        ({"innerOf": ["x"]}, [".innerOf[0]: 'x' is no Inner"]),
        ({"innerOf": [{}, {"numberOf": True}]}, [".innerOf[1].numberOf: True is no int"]),
        ({"innerOf": [{"shareOf": 1, "onOf": 1}]}, [".innerOf[0].onOf: 1 is no bool"]),
        ({"innerOf": [{"wordsOf": {"a": "b", "c": 1}}]}, [".innerOf[0].wordsOf.c: 1 is no str"]),
        ({"innerOf": [{"numberOf": "1"}], "x": 1},
         [".innerOf[0].numberOf: '1' is no int", ".x: V1beta1Thing has no such field"]),
    ],
)  # fmt: skip
def test_what_kserve_does_not_know_is_told_with_its_place(validate, fields, wrong):
    assert list(validate._model_problems(fields, "V1beta1Thing", "")) == wrong
    document = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "Thing"}
    known = [f".{key}: V1beta1Thing has no such field" for key in document]
    assert validate.problems({**document, **fields}) == [*known, *wrong]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("Pod", []),
        ("Old", ["spec.0.name: wrong in 1.37 (Kubernetes 1.37)"]),
        ("None", ["no schema", "no schema"]),
    ],
)
def test_every_version_of_kubernetes_is_asked(validate, kind, wrong):
    assert validate.problems({"apiVersion": "v1", "kind": kind}) == wrong


@pytest.mark.parametrize(("kinds", "code"), [(["Pod", "Pod"], 0), (["Old", "Pod"], 1)])
def test_one_that_is_wrong_is_enough(validate, monkeypatch, tmp_path, capsys, kinds, code):
    monkeypatch.setattr(validate.shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["x", str(tmp_path)])
    for place, kind in (("files-pod.yaml", kinds[0]), ("training/a.yaml", kinds[1])):
        file = tmp_path / place
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {file.stem}}}\n---\n")
    (tmp_path / "training" / "kustomization.yaml").write_text("no: object")
    assert validate.main() == code
    mark = "✗" if code else "✓"
    said = capsys.readouterr().out
    assert f"{mark} files-pod.yaml: {kinds[0]}/files-pod\n" in said
    assert "✓ training/a.yaml: Pod/a\n" in said and "kubectl is not in PATH" in said


def test_every_overlay_is_built(validate, monkeypatch):
    built = []
    monkeypatch.setattr(validate.shutil, "which", lambda _: "kubectl")
    monkeypatch.setattr(validate, "_build", lambda folder: built.append(folder) or "")
    assert list(validate.documents(validate.MANIFESTS))  # those that are not built
    overlays = set((validate.MANIFESTS / "overlays").iterdir())
    assert overlays and overlays <= set(built)
