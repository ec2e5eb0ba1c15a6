#!/usr/bin/env bash
# Runs the tests on the modern line of TFX, less those marked `one_line`: in the image of kubeflow/Dockerfile, built without a container engine, as the
# image's user. Where that cannot be had it says why, in one line, and ends with exit code 0.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() { echo "modern line: skipped: $*"; exit 0; }

line=$(tools/choose_line.sh | head -n 1)
[ "$line" = compatible ] || skip "it is this machine's own line, on which the tests run anyway"
[ "$(id -u)" = 0 ] || skip "a Debian 13 root folder needs root"
unshare --mount --pid --fork true 2>/dev/null || skip "namespaces are not allowed here"
command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -qq --yes debootstrap; } >/dev/null 2>&1 ||
    skip "debootstrap cannot be installed"

folder=$(mktemp -d -t graft-modern-XXXXXX)
trap 'rm -rf --one-file-system "$folder"' EXIT
made=$(tools/debian13.sh make "$folder/base" 2>&1) || skip "$made"
setpriv --pdeathsig TERM python3 tools/replay_dockerfile.py "$folder" --tests -- \
    pytest -n 2 --dist loadfile --no-loadscope-reorder -p no:cacheprovider -m "not one_line" "$@"
