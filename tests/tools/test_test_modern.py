"""Where the modern line cannot be had, CI says why and does not fail."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_line

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("command", "script", "says"),
    [
        ("getconf", "echo glibc 2.41", "it is this machine's own line"),
        ("id", "echo 1000", "a Debian 13 root folder needs root"),
        ("unshare", "exit 1", "namespaces are not allowed here"),
    ],
)
def test_it_is_skipped_in_one_line(tmp_path, command, script, says):
    for name, answer in (
        ("getconf", "echo glibc 2.36"),
        ("python3.10", "exit 0"),
        ("python3.11", "exit 0"),
        ("id", "echo 0"),
        ("uname", '[ "$1" = -s ] && echo Linux || echo x86_64'),
        (command, script),
    ):
        tmp_path.joinpath(name).write_text(f"#!/bin/sh\n{answer}\n")
        tmp_path.joinpath(name).chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if k != "GRAFT_PYTHON"}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    result = subprocess.run(
        [REPOSITORY / "tools" / "test_modern.sh"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = result.stdout.splitlines()
    assert line.startswith(f"modern line: skipped: {says}")
