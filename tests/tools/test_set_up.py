"""Set-up, with stand-ins for Python and uv: into which environment everything goes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_line

REPOSITORY = Path(__file__).parents[2]
# Makes an environment that has uv, which pip would bring.
PYTHON = """#!/bin/sh
case "$*" in
    "-c "*) echo 3.11 ;;
    "-m venv --clear "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && cp "${0%/*}/uv" "$4/bin" ;;
esac
"""
# As uv does, it takes the environment that is active unless it is told of another.
UV = """#!/bin/sh
into=$VIRTUAL_ENV
while [ $# -gt 0 ]; do [ "$1" = --python ] && into=$2; last=$1; shift; done
echo "$last into $into" >>installed
"""


@pytest.mark.parametrize("venv", [".venv", "my env"])
def test_everything_goes_into_the_new_environment_whichever_is_active(tmp_path, venv):
    shutil.copytree(REPOSITORY / "tools", tmp_path / "tools", ignore=lambda *_: ["__pycache__"])
    python, active = tmp_path / "python", tmp_path / "active"
    for path, script in (
        (python, PYTHON),
        (active, f'#!/bin/sh\ncase "$2" in *base_prefix*) echo "{python}" ;; *) exit 1 ;; esac\n'),
        (tmp_path / "uv", UV),
        (tmp_path / "tools/choose_line.sh", f"#!/bin/sh\nprintf '%s\\n' modern {active} because\n"),
    ):
        path.write_text(script)
        path.chmod(0o755)
    subprocess.run(
        [tmp_path / "tools" / "set_up.sh", venv],
        env={**os.environ, "VIRTUAL_ENV": "/active", "CONDA_PREFIX": "/active"},
        check=True,
    )
    assert (tmp_path / "installed").read_text().splitlines() == [
        f"requirements/modern.txt into {venv}/bin/python",
        f". into {venv}/bin/python",
    ]
    said = (tmp_path / venv / ".installed").read_text()
    assert said == "TFX 1.21 on Python 3.11, the modern line: because\n"
