#!/usr/bin/env bash
# set_up.sh VENV: makes the environment for the line of TFX that this machine can have, with exactly what is locked.
# VENV/.installed is written last, and says what was chosen and why.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
choice=$(tools/choose_line.sh)
{ read -r line; read -r python; read -r why; } <<<"$choice"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $line in
    modern) said="TFX 1.21 on Python $version, the modern line: $why" ;;
    compatible) said="TFX 1.16 on Python $version, the compatible line: $why" ;;
esac
echo "Setting up $venv with $python (a few minutes the first time)"
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --only-binary=:all: -r requirements/uv.txt
"$venv/bin/uv" pip install --quiet --require-hashes --compile-bytecode --build-constraints requirements/build.txt \
    -r "requirements/$line.txt"
"$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
echo "$said" >"$venv/.installed"
