#!/usr/bin/env python3
"""Builds kubeflow/Dockerfile without a container engine, in Debian 13 root folders. Needs root.

    python3 tools/replay_dockerfile.py FOLDER [--build-arg VARIANT=gpu] [--tests] [-- CMD…]

FOLDER/base is a minimal Debian 13 with this machine's Python 3.11. It stands in for the image that
the argument BASE names, and is made by tools/debian13.sh unless it is there. FOLDER/0, FOLDER/1, …
are the stages, the last one is the image. The HEALTHCHECK and the entrypoint run in it, then CMD,
as the image's own user, with its environment and in its folder. With --tests, CMD runs in a copy of
this checkout, and pytest is there.

What a container engine has and this has not: layers, user and network namespaces, a cache, limits,
the format of images.
"""

import argparse
import dataclasses
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import dockerfile

_REPOSITORY = Path(__file__).resolve().parents[1]
_DOCKERFILE = _REPOSITORY / "kubeflow" / "Dockerfile"
_BASE = "base"
_BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"


@dataclasses.dataclass
class Image:
    """A root folder and what an image says beside its files.

    Attributes:
        root: the folder.
        environment: of ENV.
        user: UID:GID.
        folder: of WORKDIR.
        labels: of LABEL.
        commands: of ENTRYPOINT, CMD and HEALTHCHECK.
    """

    root: Path
    environment: dict[str, str] = dataclasses.field(default_factory=lambda: {"PATH": _BASE_PATH})
    user: str = "0:0"
    folder: str = "/"
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    commands: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def run(self, words: list[str], extra: dict[str, str] | None = None) -> int:
        """Runs a command inside as the image's user; returns its exit code."""
        variables = [f"{k}={v}" for k, v in {**self.environment, **(extra or {})}.items()]
        return subprocess.run(
            [_debian13(), "run", str(self.root), "env", *variables, *words],
            env={**os.environ, "AS": self.user, "IN": self.folder},
            check=False,
        ).returncode


class Replay:
    """Carries out the stages of a Dockerfile."""

    def __init__(self, folder: Path, build_args: dict[str, str]):
        self._folder = folder
        self._build_args = build_args
        self._ignores = dockerfile.Ignore(_REPOSITORY.joinpath(".dockerignore").read_text())
        self._built: dict[str, Image] = {}

    def build(self) -> list[Image]:
        """Carries out the Dockerfile.

        Returns:
            Its stages.

        Raises:
            ValueError: what is written cannot be carried out, or a RUN failed.
        """
        stages = dockerfile.read_stages(
            _DOCKERFILE.read_text(), {"BASE": _BASE, **self._build_args}
        )
        for number, stage in enumerate(stages):
            base = self._built.get(stage.base) or Image(self._base(stage.base))
            image = dataclasses.replace(base, root=self._folder / str(number))
            if image.root.exists():
                raise ValueError(f"{image.root} is there already")
            _copy(base.root, image.root)
            arguments: dict[str, str] = {}
            for place, instruction in enumerate(stage.instructions, 1):
                title = f"{stage.name or number} {place}/{len(stage.instructions)}"
                begun = time.monotonic()
                print(f"[{title}] {instruction.name} {instruction.text}", flush=True)
                self._carry_out(instruction, image, arguments)
                if time.monotonic() - begun > 1:
                    print(f"[{title}] {time.monotonic() - begun:.0f} s", flush=True)
            self._built[stage.name or str(number)] = image
        return list(self._built.values())

    def _base(self, name: str) -> Path:
        root = self._folder / _BASE
        if name != _BASE:
            raise ValueError(f"{name} is neither BASE nor an earlier stage")
        if not root.exists():
            subprocess.run([_debian13(), "make", str(root)], check=True)
        return root

    def _carry_out(
        self, instruction: dockerfile.Instruction, image: Image, arguments: dict[str, str]
    ) -> None:
        variables = {**arguments, **image.environment}
        match instruction.name:
            case "ARG":
                arguments.update(dockerfile.argument(instruction, self._build_args, variables))
            case "ENV":
                added = dockerfile.pairs(instruction, variables)
                image.environment = {**image.environment, **added}
            case "LABEL":
                image.labels = {**image.labels, **dockerfile.pairs(instruction, variables)}
            case "WORKDIR":
                image.folder = dockerfile.replace_variables(instruction, variables)
                _inside(image, image.folder).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = dockerfile.replace_variables(instruction, variables)
                if not all(part.isdigit() for part in image.user.split(":")):
                    raise ValueError(f"line {instruction.line}: USER is not numeric")
            case "COPY":
                self._copy_in(instruction, image, variables)
            case "RUN":
                code = image.run(["/bin/sh", "-c", instruction.text], arguments)
                if code:
                    raise ValueError(f"line {instruction.line}: RUN ended with exit code {code}")
            case "ENTRYPOINT" | "CMD" | "HEALTHCHECK":
                words = dockerfile.command(instruction)
                image.commands = {**image.commands, instruction.name: words}

    def _copy_in(
        self, instruction: dockerfile.Instruction, image: Image, variables: dict[str, str]
    ) -> None:
        *sources, target = shlex.split(dockerfile.replace_variables(instruction, variables))
        place = _inside(image, target)
        if sources[0].startswith("--from="):
            origin = self._built[sources.pop(0).removeprefix("--from=")]
            for source in sources:
                _copy(_inside(origin, source), place)
            return
        for source in sources:
            if source.startswith("--"):
                raise ValueError(f"line {instruction.line}: COPY {source} is not known here")
            self._copy_from_context(instruction, source, place, into=target.endswith("/"))

    def _copy_from_context(
        self, instruction: dockerfile.Instruction, source: str, place: Path, into: bool
    ) -> None:
        origin = _REPOSITORY / source
        found = sorted(origin.rglob("*")) if origin.is_dir() else [origin]
        kept = [
            path
            for path in found
            if path.is_file() and not self._ignores(path.relative_to(_REPOSITORY).as_posix())
        ]
        if not kept:
            raise ValueError(f"line {instruction.line}: there is no {source} in the context")
        for path in kept:
            inner = path.relative_to(origin) if origin.is_dir() else path.name if into else ""
            file = place / inner
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, file)


def _inside(image: Image, path: str) -> Path:
    return image.root / os.path.join(image.folder, path).lstrip("/")


def _copy(source: Path, target: Path) -> None:
    """Copies a folder with owners, modes, times and links; `target` becomes what `source` is."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", f"{source}/.", str(target)], check=True)


def _debian13() -> str:
    return str(_REPOSITORY / "tools" / "debian13.sh")


def add_tests(image: Image, build: Image) -> None:
    """Puts this checkout and the tools of its tests into an image; commands then run in the former.

    Raises:
        ValueError: the tools cannot be installed.
    """
    image.folder = f"{image.folder}/checkout"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=_REPOSITORY, capture_output=True, check=True, text=True)
    for name in names.stdout.splitlines():
        file = _inside(image, name)
        if (_REPOSITORY / name).is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(_REPOSITORY / name, file)
    _copy(_inside(build, "/opt/uv"), _inside(image, "/opt/uv"))
    # The lock holds what the image has, and the tools.
    install = ["/opt/uv/bin/uv", "pip", "install", "--no-cache", "--quiet", "--require-hashes"]
    lock = ["--python", "/opt/graft", "-r", "requirements/modern.txt"]
    if dataclasses.replace(image, user="0:0").run([*install, *lock]):
        raise ValueError("the tools of the tests cannot be installed")


def main() -> int:
    """Builds the image and runs commands in it; returns the exit code of the first that fails."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s FOLDER [--build-arg NAME=VALUE] [--tests] [-- CMD…]",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--tests", action="store_true")
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    options, command = parser.parse_args(words[:end]), words[end + 1 :]
    build_args = dict(pair.split("=", 1) for pair in options.build_arg)
    begun = time.monotonic()
    try:
        first, *_, image = Replay(options.folder.absolute(), build_args).build()
        seconds = time.monotonic() - begun
        du = subprocess.run(["du", "-sm", image.root], capture_output=True, check=True, text=True)
        print(f"built in {seconds:.0f} s: {image.root}, {du.stdout.split()[0]} MiB")
        entrypoint = [*image.commands["ENTRYPOINT"], *image.commands["CMD"]]
        code = _shown(image, image.commands["HEALTHCHECK"]) or _shown(image, entrypoint)
        if code:
            return code
        if options.tests:
            add_tests(image, first)
    except (ValueError, subprocess.CalledProcessError) as error:
        print(f"kubeflow/Dockerfile: {error}", file=sys.stderr)
        return 1
    return _shown(image, command) if command else 0


def _shown(image: Image, words: list[str]) -> int:
    begun = time.monotonic()
    print(f"[{image.user}] {shlex.join(words)}", flush=True)
    code = image.run(words)
    print(f"[{image.user}] exit code {code} after {time.monotonic() - begun:.0f} s", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
