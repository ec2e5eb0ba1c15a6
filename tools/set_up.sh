#!/usr/bin/env bash
# set_up.sh VENV: makes the environment for the line of TFX that this machine can have, with exactly what is locked.
# VENV/.installed is written last, and says what was chosen and why.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
choice=$(tools/choose_line.sh)
{ read -r line; read -r python; read -r why; } <<<"$choice"
# Of an environment that is active, what it was made of: Python 3.10 would link the new one to it, which may be itself.
python=$("$python" -c 'import os, sys; e = sys.executable; print(e if sys.prefix == sys.base_prefix else os.path.realpath(e))')
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $line in
    modern) said="TFX 1.21 on Python $version, the modern line: $why" ;;
    compatible) said="TFX 1.16 on Python $version, the compatible line: $why" ;;
esac
echo "Setting up $venv with $python (a few minutes the first time)"
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --only-binary=:all: -r requirements/uv.txt
# Without --python uv would install into the environment that is active, not into the one that it lies in.
"$venv/bin/uv" pip install --python "$venv/bin/python" --quiet --require-hashes --compile-bytecode \
    --build-constraints requirements/build.txt -r "requirements/$line.txt"
"$venv/bin/uv" pip install --python "$venv/bin/python" --quiet --no-deps --no-build-isolation --editable .
echo "$said" >"$venv/.installed"
