#!/bin/sh
# Chooses the line of TFX that this machine can have. Prints three lines: `modern` or `compatible`, the path of a Python,
# and why. GRAFT_PYTHON names the Python to take; without it what Graft is tested on goes first, and of that the modern line.
set -u
find_python() { "$(dirname "$0")/find_python.sh" "$1"; }
chosen() { printf '%s\n' "$@"; exit 0; }
fail() { echo "Graft: $*" >&2; exit 1; }
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

modern="3.11 3.12 3.13"
system="$(uname -s) $(uname -m)"
case "$system" in
    "Linux x86_64")
        glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || glibc="no glibc"
        [ "${glibc#glibc }" != "$glibc" ] || fail "needs Linux with glibc, and this is not"
        here=$glibc
        # The wheels of the modern line's ml-metadata and tensorflow-data-validation are tagged manylinux_2_39.
        if at_least 2.39 "${glibc#glibc }"; then
            order="3.11 3.10 3.12 3.13"
        else
            order="3.10"
        fi
        ;;
    "Darwin arm64")
        here="Apple silicon"
        order=$modern
        ;;
    *) fail "needs Linux on x86-64 or a Mac with Apple silicon, and this is $system: TFX has no wheels for it" ;;
esac
wanted=${order%% *}
older="$here is older than 2.39, which the modern line needs"

for version in $order; do
    python=$(find_python "$version") && [ "$python" = "${GRAFT_PYTHON:-$python}" ] || continue
    why="$here and Python $version are here"
    case "$version $here" in
        3.10*)
            if [ "${GRAFT_PYTHON:-}" ]; then
                why="GRAFT_PYTHON is Python 3.10"
            elif [ "$wanted" = 3.10 ]; then
                why=$older
            else
                why="no Python 3.11 was found"
            fi
            chosen compatible "$python" "$why"
            ;;
        "3.11 glibc"*) chosen modern "$python" "$why" ;;
        *) chosen modern "$python" "$why. It resolves there, but was never run" ;;
    esac
done
if [ "${GRAFT_PYTHON:-}" ]; then
    for version in 3.10 $modern; do
        [ "$(find_python "$version")" = "$GRAFT_PYTHON" ] || continue
        [ "$version" != 3.10 ] || fail "GRAFT_PYTHON is Python 3.10, for which TFX has no wheels on a Mac; name a Python 3.11"
        fail "GRAFT_PYTHON is Python $version, whose TFX needs glibc 2.39 and this is $glibc; name a Python 3.10"
    done
    fail "GRAFT_PYTHON=$GRAFT_PYTHON is no working Python 3.10 (3.10.12 or newer), 3.11, 3.12 or 3.13"
fi

# None is here: uv can bring one.
if command -v uv >/dev/null 2>&1 && uv python install -q "$wanted" >&2 && python=$(find_python "$wanted"); then
    [ "$wanted" != 3.10 ] || chosen compatible "$python" "$older"
    why="$here is here, and uv brought Python 3.11"
    [ "$system" = "Linux x86_64" ] || why="$why. It resolves there, but was never run"
    chosen modern "$python" "$why"
fi
fail "needs Python $wanted and found none. Install it (pyenv install $wanted, or uv python install $wanted)" \
    "or set GRAFT_PYTHON to the path of one."
