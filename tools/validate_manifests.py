# /// script
# requires-python = ">=3.10"
# dependencies = ["kubernetes-validate==1.37.0", "kserve==0.21.0"]
# ///
"""Checks kubeflow/manifests against the schemas of Kubernetes and KServe, without a cluster.

    uv run --script tools/validate_manifests.py [FOLDER]

It runs in an environment of its own, because KServe's package and TFX's compatible line want
different versions of protobuf. What kustomize makes of the manifests is checked where `kubectl` is
in PATH; without, each file is checked as it is.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kserve
import kubernetes.client
import kubernetes_validate
import yaml

MANIFESTS = Path(__file__).parents[1] / "kubeflow" / "manifests"
# What somebody may apply, and the oldest and the newest Kubernetes that it is checked against.
BUILT = ("training", "serving")  # and all overlays
PLAIN = ("files-pod.yaml",)
VERSIONS = ("1.29", "1.37")

_PLAIN_TYPES = {"str": str, "int": int, "bool": bool, "float": (int, float), "object": object}


def documents(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that would be applied, with the file or overlay that it comes from."""
    for name in PLAIN:
        for document in _parsed((folder / name).read_text("utf-8")):
            yield name, document
    if not shutil.which("kubectl"):
        print("kubectl is not in PATH: the files are checked one by one, patches are not")
        for path in sorted([*folder.glob("training/*.yaml"), *folder.glob("serving/*.yaml")]):
            if path.name != "kustomization.yaml":
                for document in _parsed(path.read_text("utf-8")):
                    yield str(path.relative_to(folder)), document
        return
    overlays = sorted(path.name for path in (folder / "overlays").iterdir())
    for name in (*BUILT, *(f"overlays/{overlay}" for overlay in overlays)):
        for document in _parsed(_build(folder / name)):
            yield name, document
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(shutil.copytree(folder, Path(temporary) / "manifests"))
        store = copy / "components" / "object-store"
        shutil.copy(store / ".env.example", store / ".env")
        with (copy / "training" / "kustomization.yaml").open("a") as file:
            file.write("\ncomponents: [../components/object-store]\n")
        for document in _parsed(_build(copy / "training")):
            yield "training with components/object-store", document


def _build(folder: Path) -> str:
    built = subprocess.run(
        ["kubectl", "kustomize", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        sys.exit(f"{folder}: {built.stderr.strip()}")
    return built.stdout


def _parsed(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def problems(document: dict[str, Any]) -> list[str]:
    """What is wrong with an object, each with the place of it; empty if nothing is."""
    if document["apiVersion"].startswith("serving.kserve.io/"):
        return list(_model_problems(document, f"V1beta1{document['kind']}", ""))
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            place = ".".join(map(str, error.path))
            found.append(f"{place}: {error.message} (Kubernetes {version})")
        except kubernetes_validate.SchemaNotFoundError as error:
            found.append(error.message)
    return found


def _model_problems(value: Any, kind: str, place: str) -> Iterator[str]:
    """Compares with the generated models of KServe's and Kubernetes' Python packages."""
    if kind.lower().startswith("list["):
        if not isinstance(value, list):
            yield f"{place}: {value!r} is no list"
            return
        for index, item in enumerate(value):
            yield from _model_problems(item, kind[5:-1], f"{place}[{index}]")
    elif kind.lower().startswith("dict"):
        item_kind = kind[5:-1].split(", ")[1]
        for key, item in value.items():
            yield from _model_problems(item, item_kind, f"{place}.{key}")
    elif kind in _PLAIN_TYPES:
        wanted = _PLAIN_TYPES[kind]
        if not isinstance(value, wanted) or (kind == "int" and isinstance(value, bool)):
            yield f"{place}: {value!r} is no {kind}"
    else:
        model = getattr(kserve, kind, None) or getattr(kubernetes.client, kind)
        if not isinstance(value, dict):
            yield f"{place}: {value!r} is no {kind}"
            return
        fields = {model.attribute_map[name]: kind for name, kind in model.openapi_types.items()}
        for key, item in value.items():
            if key not in fields:
                yield f"{place}.{key}: {kind} has no such field"
            else:
                yield from _model_problems(item, fields[key], f"{place}.{key}")


def main() -> int:
    """Prints a line for each object; gives 1 if one of them is wrong, else 0."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else MANIFESTS
    wrong = 0
    for origin, document in documents(folder):
        found = problems(document)
        wrong += bool(found)
        name = f"{document['kind']}/{document['metadata']['name']}"
        print(f"{'✗' if found else '✓'} {origin}: {name}", *found, sep="\n    ")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
