#!/bin/sh
# find_python.sh VERSION: prints the path of a working Python of that version, as 3.11, or nothing and exit code 1.
set -u
version=${1:?"usage: find_python.sh 3.10|3.11|3.12|3.13"}

# TFX 1.16's dependencies need 3.10.12 or newer; a Python without venv or pip makes no environment.
works() {
    "$1" -c "import sys, venv, ensurepip; v = sys.version_info
sys.exit(not ('%d.%d' % v[:2] == '$version' and v >= (3, 10, 12)))" >/dev/null 2>&1
}

candidates() {
    [ -n "${GRAFT_PYTHON:-}" ] && echo "$GRAFT_PYTHON"
    command -v "python$version"
    # pyenv's own shim fails where no .python-version names the version, so look at its versions.
    ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python 2>/dev/null | sort -rV
    command -v uv >/dev/null 2>&1 && uv python find "$version" 2>/dev/null
}

IFS='
'
for python in $(candidates); do
    if works "$python"; then
        echo "$python"
        exit 0
    fi
done
exit 1
