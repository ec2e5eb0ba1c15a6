"""Other ways to train the same network on the same pictures: seconds, memory, lines and disk.

    python benchmarks/peers.py --pictures PATH/cats_and_dogs_filtered --limit 400 --epochs 2

The plain Keras script, fastai, and timm's network in a loop of PyTorch, each in an environment of
its own that `uv` makes here, then Graft. On Linux PyTorch's plain packages bring CUDA, also where
there is no GPU; `UV_TORCH_BACKEND=cpu` takes those without it, where uv can reach their index.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import compare_keras
import measure
import pictures

_FOLDER = Path(__file__).parent
_RECIPE = _FOLDER.parent / "pipeline" / "configs" / f"{compare_keras.RECIPE}.yaml"
_GRAFT = "Graft"
_TORCH = ("torch==2.14.1", "torchvision==0.29.1")
_MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another way to train.

    Attributes:
        script: takes a folder of pictures, `--epochs` and `--out`.
        packages: what it needs, pinned.
        python: the interpreter, or its version.
    """

    script: Path
    packages: tuple[str, ...]
    python: str


def peers() -> dict[str, Peer]:
    """All of them by name; Keras in the versions that Graft has here."""
    keras = [f"{name}=={importlib.metadata.version(name)}" for name in ("keras", "tensorflow")]
    return {
        "Keras": Peer(_FOLDER / "keras_script.py", tuple(keras), sys.executable),
        "fastai": Peer(_FOLDER / "peers" / "fastai_script.py", (*_TORCH, "fastai==2.8.12"), "3.11"),
        "timm": Peer(_FOLDER / "peers" / "timm_script.py", (*_TORCH, "timm==1.0.31"), "3.11"),
    }


def main() -> None:
    """Makes the environments, runs one after the other, and prints the table."""
    args = _arguments()
    results: dict[str, dict] = {}
    with tempfile.TemporaryDirectory(prefix="graft-peers-") as scratch:
        folder = Path(scratch)
        args.pictures = pictures.prepared(args, folder)
        environments = {
            name: make_environment(peer, (args.environments or folder / "environments") / name)
            for name, peer in peers().items()
            if name in args.only
        }
        for name in args.only:
            place = folder / f"run-{name}"
            place.mkdir()
            if name == _GRAFT:
                results[name] = run_graft(args, place)
            else:
                results[name] = run_peer(args, peers()[name], environments[name], place)
            print(table({name: results[name]}), flush=True)
            if args.out:
                args.out.write_text(json.dumps(results))
    print(table(results))


def make_environment(peer: Peer, folder: Path) -> Path:
    """A virtual environment with a peer's packages, unless it is there."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if not uv:
        sys.exit("uv is not there: install it into Graft's environment")
    if not (folder / "complete").exists():
        for command in (
            ["venv", "--quiet", "--clear", "--python", peer.python, str(folder)],
            ["pip", "install", "--quiet", "--compile-bytecode", "--python", str(folder)],
        ):
            packages = peer.packages if command[0] == "pip" else ()
            subprocess.run([uv, *command, *packages], check=True)  # noqa: S603
        (folder / "complete").touch()
    return folder


def run_peer(args: argparse.Namespace, peer: Peer, environment: Path, folder: Path) -> dict:
    """Runs a peer's script in a process of its own."""
    command = [str(environment / "bin" / "python"), str(peer.script), str(args.pictures)]
    command += ["--epochs", str(args.epochs), "--out", str(folder / "results.json")]
    if peer.script.parent == _FOLDER:
        command += ["--weights", args.weights]
    watched = measure.watch(command, folder / "log", children=True)
    return _result(args, watched, peer.script, environment, folder)


def run_graft(args: argparse.Namespace, folder: Path) -> dict:
    """Runs the recipe of the same settings in Graft's own environment."""
    overrides = [
        f"data.source={args.pictures}",
        f"backbone.weights={args.weights}",
        f"training.frozen.epochs={args.epochs}",
        f"training.unfrozen.epochs={args.epochs}",
        *args.set,
    ]
    run = measure.run_graft(compare_keras.RECIPE, overrides, folder, children=True)
    return _result(args, run.watched, _RECIPE, Path(sys.prefix), folder)


def _result(
    args: argparse.Namespace,
    watched: measure.Watched,
    written: Path,
    environment: Path,
    folder: Path,
) -> dict:
    count = sum(path.is_file() for path in (args.pictures / "train").rglob("*"))
    return {
        "seconds": watched.seconds,
        "pictures_per_second": 2 * args.epochs * count / watched.seconds,
        "peak_mib": watched.peak_private_mib,
        "lines": lines_of(written.read_text(encoding="utf-8")),
        "environment_mib": _size(environment) / _MIB,
        "left_mib": _size(folder) / _MIB,
    }


def lines_of(text: str) -> int:
    """Lines of a script or a recipe without those that are empty, comments or its docstring."""
    if text.startswith('"""'):
        text = text.split('"""', 2)[2]
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") for line in text.splitlines()
    )


def _size(folder: Path) -> int:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)


def table(results: Mapping[str, Mapping[str, float]]) -> str:
    """A row for each, as Markdown."""
    rows = [
        "| | s | training img/s | MiB | lines written | environment, MiB | left by a run, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        rows.append(
            f"| {name} | {result['seconds']:.1f} | {result['pictures_per_second']:.0f} | "
            f"{result['peak_mib']:,.0f} | {result['lines']} | {result['environment_mib']:,.0f} | "
            f"{result['left_mib']:,.1f} |"
        )
    return "\n".join(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    pictures.add_options(parser)
    parser.add_argument(
        "--weights",
        default="imagenet",
        help="of Keras and Graft: `imagenet`, or a .weights.h5 file without the top; the others' "
        "are random",
    )
    parser.add_argument("--epochs", type=int, default=10, help="of each of the two phases")
    names = [*peers(), _GRAFT]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="for Graft; repeatable"
    )
    parser.add_argument(
        "--environments", type=Path, help="folder that keeps them for the next time"
    )
    parser.add_argument("--out", type=Path, help="JSON file for all results")
    args = parser.parse_args()
    if args.weights != "imagenet":
        args.weights = str(Path(args.weights).absolute())
    return args


if __name__ == "__main__":
    main()
