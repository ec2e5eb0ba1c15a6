#!/usr/bin/env bash
# check_locks.sh [UV]: whether requirements/*.txt are what pyproject.toml resolves to with these pins, and whether the index
# still has the files with these hashes. Where there is no uv, or no index answers, it says so and ends with exit code 0.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() { echo "locks: skipped: $*"; exit 0; }
fail() { echo "locks: $*" >&2; exit 1; }

uv=${1:-.venv/bin/uv}
command -v "$uv" >/dev/null || uv=$(command -v uv) || skip "there is no uv (make makes an environment with one)"
folder=$(mktemp -d -t graft-locks-XXXXXX)
trap 'rm -rf "$folder"' EXIT
"$uv" pip compile --quiet --no-cache --output-file "$folder/probe" - <<<setuptools >/dev/null 2>"$folder/said" ||
    skip "no package index answers: $(tail -n 1 "$folder/said")"
rm "$folder/probe" "$folder/said"

cp requirements/*.txt "$folder"
tools/lock.sh "$uv" "$folder" || fail "pyproject.toml cannot be resolved with what is pinned: see above"
for lock in requirements/*.txt; do
    diff -u "$lock" "$folder/${lock##*/}" || fail "$lock is not what pyproject.toml resolves to: run make lock"
done

# A lock with hashes is read with them: what the index has under these names must have one of them.
hashes() { awk '/^[a-z0-9]/ { name = $1 } match($0, /sha256:[0-9a-f]+/) { print name, substr($0, RSTART, RLENGTH) }' "$1" | sort -u; }
for lock in requirements/*.txt; do
    grep -v -- --hash "$lock" | sed 's/ *\\$//' >"$folder/names.txt"
    case $lock in
        */modern.txt) machine=(3.11 --universal) ;;
        */image-*) machine=(3.11 --python-platform x86_64-manylinux_2_39) ;;
        *) machine=(3.10 --python-platform x86_64-manylinux_2_28) ;;
    esac
    "$uv" pip compile --python-version "${machine[@]}" --quiet --no-deps --generate-hashes --no-emit-index-url \
        --output-file "$folder/index.txt" "$folder/names.txt" || fail "$lock: the index does not have all of it: see above"
    gone=$(comm -23 <(hashes "$lock") <(hashes "$folder/index.txt"))
    [ -z "$gone" ] || fail "$lock: the index has other files than when it was locked: $(head -n 1 <<<"$gone")"
    rm "$folder/index.txt"
done
echo "locks: $(ls requirements/*.txt | wc -l) files are what pyproject.toml resolves to, with hashes that the index has"
