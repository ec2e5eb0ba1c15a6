"""A folder and a process that stand in for a step's pod."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pipeline
from pipeline.kubeflow.package.artifact_paths import ROOT_VARIABLE

# What a container has from its image or its node rather than from the package.
_INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
)
_OF_STORES = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"}
_STUB = "secret-of-a-rehearsal"
_TERMINATION_LOG = "dev/termination-log"
_SECONDS_TO_END = 10.0

Mounts = dict[str, Path]
"""Local folder by mount path."""


class Pod:
    """A step's container: a folder of its own as file system, volumes mapped to other folders."""

    def __init__(self, folder: Path, platform: Mapping[str, Any], claims: Path):
        """Makes the folders.

        Args:
            folder: must not exist yet.
            platform: the step's KubernetesExecutorConfig.
            claims: holds a folder per persistent volume claim.
        """
        self.folder = folder
        self._platform = platform
        self.claims = claim_mounts(platform, claims)
        secrets = {
            mount["mountPath"]: folder / "secrets" / mount["secretName"]
            for mount in platform.get("secretAsVolume", ())
        }
        self.mounts: Mounts = {**self.claims, **secrets, "/tmp": folder / "tmp"}  # noqa: S108
        for path in (*self.mounts.values(), folder / "home", folder / "dev"):
            path.mkdir(parents=True, exist_ok=True)
        (folder / _TERMINATION_LOG).touch()

    def run(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        log_file: Path,
        timeout_s: float | None,
    ) -> int:
        """Runs the container's command to its end.

        Args:
            command: `python` as its first word is this environment's.
            env: of the container.
            log_file: for standard output and standard error.
            timeout_s: seconds after which it is ended; None: never.

        Returns:
            The exit code, negative for a signal.
        """
        program = sys.executable if command[0] in ("python", "python3") else command[0]
        with log_file.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 (what the package says is what is rehearsed)
                [program, *command[1:]],
                cwd=self.folder,
                env=self._environment(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            with _ended_with_its_children(process):
                try:
                    return process.wait(timeout_s)
                except subprocess.TimeoutExpired:
                    log.write(f"ended after {timeout_s:g} s: its deadline\n".encode())
                    return -signal.SIGTERM

    @property
    def message(self) -> str:
        """The termination message; empty if the command left none."""
        return (self.folder / _TERMINATION_LOG).read_text("utf-8", errors="replace").strip()

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        secrets = {
            key["envVar"]: os.environ.get(key["envVar"], _STUB)
            for secret in self._platform.get("secretAsEnv", ())
            for key in secret["keyToEnv"]
        }
        return {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            # The image has Graft installed; here it may be a folder of sources.
            "PYTHONPATH": str(Path(pipeline.__file__).parents[1]),
            **secrets,
            **{name: translate(value, self.mounts) for name, value in env.items()},
            # A store inside of a cluster is not to be reached from here.
            **{name: os.environ[name] for name in env if name in _OF_STORES & os.environ.keys()},
            ROOT_VARIABLE: str(self.folder),
        }


def claim_mounts(platform: Mapping[str, Any], claims: Path) -> Mounts:
    """The persistent volume claims of a step.

    Args:
        platform: the step's KubernetesExecutorConfig.
        claims: holds a folder per claim.
    """
    return {
        mount["mountPath"]: claims / mount["constant"] for mount in platform.get("pvcMount", ())
    }


def claim_names(platform: Mapping[str, Any]) -> list[str]:
    """Names of the persistent volume claims of a step; see `claim_mounts`."""
    return [mount["constant"] for mount in platform.get("pvcMount", ())]


def translate(value: Any, mounts: Mounts) -> Any:
    """Replaces paths on a volume by those of its folder, also inside JSON in a string.

    Args:
        value: a parameter's or a variable's value.
        mounts: folder by mount path.
    """
    if isinstance(value, dict):
        return {key: translate(inner, mounts) for key, inner in value.items()}
    if isinstance(value, list):
        return [translate(inner, mounts) for inner in value]
    if not isinstance(value, str):
        return value
    for mount in sorted(mounts, key=len, reverse=True):
        if value == mount or value.startswith(f"{mount}/"):
            return f"{mounts[mount]}{value[len(mount) :]}"
    if value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            content = json.loads(value)
            translated = translate(content, mounts)
            return value if translated == content else json.dumps(translated)
    return value


def translate_options(words: Sequence[str], mounts: Mounts) -> list[str]:
    """`translate`, for the values of options such as `--temp_location=/mnt/shared`.

    Args:
        words: of a command.
        mounts: folder by mount path.
    """

    def translated(word: str) -> str:
        name, equals, value = word.partition("=")
        if not name.startswith("--"):
            return word
        return f"{name}{equals}{translate(value, mounts)}"

    return [translated(word) for word in words]


@contextlib.contextmanager
def _ended_with_its_children(process: subprocess.Popen) -> Iterator[None]:
    """Leaves nothing of the step running, however the block ends."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
