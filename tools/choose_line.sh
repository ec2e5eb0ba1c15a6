#!/bin/sh
# Chooses the line of TFX that this machine can have. Prints three lines: `modern` or `compatible`, the path of a Python,
# and why. GRAFT_PYTHON names the Python to take; without it the modern line goes first.
set -u
find_python() { "$(dirname "$0")/find_python.sh" "$1"; }
chosen() { printf '%s\n' "$@"; exit 0; }
fail() { echo "Graft: $*" >&2; exit 1; }

glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || glibc="no glibc"
if [ "${glibc#glibc }" = "$glibc" ]; then
    fail "needs Linux with glibc, and this is not"
fi
# The wheels of the modern line's ml-metadata and tensorflow-data-validation are tagged manylinux_2_39.
if [ "$(printf '%s\n' 2.39 "${glibc#glibc }" | sort -V | head -n 1)" = 2.39 ]; then
    new_glibc=yes
else
    new_glibc=
fi

if python=$(find_python 3.11) && [ "$python" = "${GRAFT_PYTHON:-$python}" ]; then
    if [ "$new_glibc" ]; then
        chosen modern "$python" "$glibc and Python 3.11 are here"
    fi
    if [ "${GRAFT_PYTHON:-}" ]; then
        fail "GRAFT_PYTHON is Python 3.11, whose TFX needs glibc 2.39 and this is $glibc; name a Python 3.10"
    fi
fi
if python=$(find_python 3.10) && [ "$python" = "${GRAFT_PYTHON:-$python}" ]; then
    if [ "${GRAFT_PYTHON:-}" ]; then
        why="GRAFT_PYTHON is Python 3.10"
    elif [ "$new_glibc" ]; then
        why="no Python 3.11 was found"
    else
        why="$glibc is older than 2.39, which the modern line needs"
    fi
    chosen compatible "$python" "$why"
fi
if [ "${GRAFT_PYTHON:-}" ]; then
    fail "GRAFT_PYTHON=$GRAFT_PYTHON is no working Python 3.10 (3.10.12 or newer) or 3.11"
fi

# None is here: uv can bring one.
if [ "$new_glibc" ]; then wanted=3.11; else wanted=3.10; fi
if command -v uv >/dev/null 2>&1 && uv python install -q "$wanted" >&2 && python=$(find_python "$wanted"); then
    if [ "$new_glibc" ]; then
        chosen modern "$python" "$glibc is here, and uv brought Python 3.11"
    fi
    chosen compatible "$python" "$glibc is older than 2.39, which the modern line needs"
fi
fail "needs Python $wanted and found none. Install it (pyenv install $wanted, or uv python install $wanted)" \
    "or set GRAFT_PYTHON to the path of one."
