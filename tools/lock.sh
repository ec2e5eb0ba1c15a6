#!/usr/bin/env bash
# lock.sh UV FOLDER [--upgrade]: resolves the dependencies of pyproject.toml and writes FOLDER/*.txt, with hashes and without
# the name of any package index, so that they work behind every mirror. What is pinned there stays as it is unless --upgrade.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$1
folder=$2
upgrade=${3:-}

compile() {  # FILE PYTHON ARGUMENT…
    "$uv" pip compile --python-version "$2" ${upgrade:+"$upgrade"} --quiet --generate-hashes --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "make lock" --output-file "$folder/$1" "${@:3}"
}
old_glibc=(--python-platform x86_64-manylinux_2_28)
new_glibc=(--python-platform x86_64-manylinux_2_39)

extras=(--extra dev --extra aws --extra gcp --extra dask --extra heif --extra registry --extra sign)
compile compatible.txt 3.10 "${old_glibc[@]}" pyproject.toml "${extras[@]}"
# For every machine that tool.uv.environments in pyproject.toml lists, with each Python from 3.11 on.
compile modern.txt 3.11 --universal pyproject.toml "${extras[@]}"
# What the images hold is what is tested: the modern line, less the tools of development.
image=(3.11 "${new_glibc[@]}" pyproject.toml --extra aws --extra dask --extra sign --constraints requirements/modern.txt)
compile image-cpu.txt "${image[@]}"
compile image-gpu.txt "${image[@]}" --extra gpu
# What builds the few dependencies that have no wheel.
compile build.txt 3.10 "${old_glibc[@]}" - <<<"setuptools<81"
