#!/usr/bin/env bash
# Debian 13 (glibc 2.41) in a folder, on a machine with an older glibc, so that the modern line of TFX can be tried there.
# Needs root and debootstrap, but no container engine. For development and CI.
#
#   debian13.sh make ROOT [PACKAGE…]   a minimal Debian 13 with this machine's Python 3.11 copied into /usr/local
#   debian13.sh run ROOT CMD…          runs CMD inside; what it mounted and started ends with it
#
# `run` starts CMD with the variables HOME, PATH, LANG and those that say how to reach a package index (PIP_*, UV_*, the
# proxies), as the user AS (UID:GID; root), in the folder IN (/). Host folders named in BIND are seen inside, read-only,
# under the same name.
set -euo pipefail

# What the modules of CPython are linked against, as in the image python:3.11-slim.
LIBRARIES=libssl3t64,libsqlite3-0,libbz2-1.0,liblzma5,libffi8,libreadline8t64,zlib1g,libuuid1,libgomp1,netbase
# Copied under another name than the distribution's: a certificate package installed inside would rewrite that.
CERTIFICATES=/etc/host-certificates.crt

fail() { echo "debian13.sh: $*" >&2; exit 1; }

mirror() {  # the host's own, from its apt sources in either format
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{sources,list} 2>/dev/null || true; } |
        awk '$1 == "URIs:" { print $2 } $1 == "deb" { sub(/^deb +(\[[^]]*\] *)?/, ""); print $1 }' |
        grep -m 1 -E '/debian/?$'
}

make_root() {
    local root=$1 url python prefix
    shift
    [ "$(id -u)" = 0 ] || fail "must run as root"
    command -v debootstrap >/dev/null || fail "debootstrap is not installed"
    url=$(mirror) || fail "no Debian mirror in this machine's apt sources"
    python=$("$(dirname "$0")/find_python.sh" 3.11) || fail "no Python 3.11 was found"
    prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
    debootstrap --variant=minbase --include="$(IFS=,; echo "$LIBRARIES${*:+,}$*")" trixie "$root" "$url" \
        >"$root.log" 2>&1 || fail "debootstrap failed: $(tail -n 1 "$root.log")"
    # The host's build runs there unchanged. What was installed into it stays behind.
    (cd "$prefix" && tar --exclude=site-packages --exclude=__pycache__ --exclude=lib/python3.11/test -cf - \
        bin/python3.11 include/python3.11 lib/python3.11 lib/libpython3*) |
        tar -C "$root/usr/local" --no-same-owner -xf -
    ln -s python3.11 "$root/usr/local/bin/python3"
    ln -s python3.11 "$root/usr/local/bin/python"
    mkdir -p "$root/usr/local/lib/python3.11/site-packages"
    run_in "$root" sh -c 'ldconfig && python -W ignore -m compileall -qq /usr/local/lib/python3.11 || true'
    rm "$root.log"
}

run_in() {
    local root=$1 variables=(HOME=/root LANG=C.UTF-8) name
    shift
    [ -d "$root" ] || fail "no such folder: $root"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    if [ -e /etc/pip.conf ]; then sed '/^cert\b/d' /etc/pip.conf >"$root/etc/pip.conf"; fi
    cp -L "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$root$CERTIFICATES"
    variables+=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    variables+=("SSL_CERT_FILE=$CERTIFICATES" "PIP_CERT=$CERTIFICATES" "REQUESTS_CA_BUNDLE=$CERTIFICATES")
    for name in $(compgen -e | grep -iE '^(PIP|UV)_|_proxy$' | grep -vx PIP_CERT); do
        variables+=("$name=${!name}")
    done
    # When whoever called dies, all inside dies.
    root=$root exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --propagation private bash -euc '
        mkdir -p "$root"/{proc,dev,tmp}
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        mkdir -m 1777 "$root/dev/shm"
        for device in null zero full random urandom tty; do
            : >"$root/dev/$device"
            mount --bind "/dev/$device" "$root/dev/$device"
        done
        ln -s /proc/self/fd "$root/dev/fd"
        for folder in ${BIND:-}; do
            mkdir -p "$root$folder"
            mount --bind "$folder" "$root$folder"
            mount -o remount,ro,bind "$root$folder"
        done
        cd "$root"
        exec chroot --userspec="${AS:-0:0}" --groups= "$root" env -i --chdir="${IN:-/}" "$@"
    ' bash "${variables[@]}" "$@"
}

command=${1:-}
[ $# -ge 2 ] || fail "usage: debian13.sh make ROOT [PACKAGE…] | run ROOT CMD…"
shift
case $command in
    make) make_root "$@" ;;
    run) run_in "$@" ;;
    *) fail "no such command: $command" ;;
esac
