#!/bin/sh
# Prints the path of a working Python 3.10.12 or newer 3.10, which TFX 1.16 needs; makes one with uv if there is none.
set -u

works() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10, 12) <= sys.version_info < (3, 11))' >/dev/null 2>&1
}

candidates() {
    [ -n "${GRAFT_PYTHON:-}" ] && echo "$GRAFT_PYTHON"
    command -v python3.10
    # pyenv's own shim fails where no .python-version names 3.10, so look at its versions.
    ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10.*/bin/python 2>/dev/null | sort -rV
    command -v uv >/dev/null 2>&1 && uv python find 3.10 2>/dev/null
}

for python in $(candidates); do
    if works "$python"; then
        echo "$python"
        exit 0
    fi
done

if command -v uv >/dev/null 2>&1 && uv python install -q 3.10 >&2; then
    python=$(uv python find 3.10) && works "$python" && echo "$python" && exit 0
fi

echo "Graft needs Python 3.10 (3.10.12 or newer) and found none. Install it (with pyenv: pyenv install 3.10; with uv: uv python install 3.10)" \
    "or set GRAFT_PYTHON to its path." >&2
exit 1
