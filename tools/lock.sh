#!/usr/bin/env bash
# lock.sh UV [--upgrade]: resolves the dependencies of pyproject.toml and writes requirements/*.txt, with hashes and without
# the name of any package index, so that they work behind every mirror. What is pinned stays as it is unless --upgrade.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$1
upgrade=${2:-}

lock() {  # FILE PYTHON PLATFORM ARGUMENT…
    "$uv" pip compile --python-version "$2" --python-platform "$3" ${upgrade:+"$upgrade"} --quiet --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file "requirements/$1" "${@:4}"
}

extras=(--extra dev --extra aws --extra gcp --extra dask --extra heif --extra registry --extra sign)
lock compatible.txt 3.10 x86_64-manylinux_2_28 pyproject.toml "${extras[@]}"
lock modern.txt 3.11 x86_64-manylinux_2_39 pyproject.toml "${extras[@]}"
# What the images hold is what is tested: the modern line, less the tools of development.
lock image-cpu.txt 3.11 x86_64-manylinux_2_39 pyproject.toml --extra sign --constraints requirements/modern.txt
lock image-gpu.txt 3.11 x86_64-manylinux_2_39 pyproject.toml --extra gpu --extra sign --constraints requirements/modern.txt
# What builds the few dependencies that have no wheel.
echo "setuptools<81" | lock build.txt 3.10 x86_64-manylinux_2_28 -
