#!/bin/bash
# Installs the Debian packages that the named purposes need, and only those that are missing.
#   scripts/install-deps.sh build test lint demo bench ci
set -euo pipefail

declare -A packages=(
    [build]="cmake make gcc libc6-dev pkg-config liblz4-dev libxxhash-dev libzstd-dev liburing-dev"
    [test]="libcmocka-dev libuv1-dev python3 g++"
    [lint]="clang-format binutils python3 g++ man-db groff"
    [demo]="unicode-data"
    [contents]="apt-file"
    [bench]="g++ liblmdb-dev librocksdb-dev libleveldb-dev libwiredtiger-dev"
    [ci]="clang libclang-rt-dev lld llvm dpkg-dev musl-tools ninja-build valgrind"
)

wanted=()
for purpose in "$@"; do
    if [[ -z ${packages[$purpose]:-} ]]; then
        echo "install-deps: unknown purpose '$purpose' (know: ${!packages[*]})" >&2
        exit 2
    fi
    read -ra list <<<"${packages[$purpose]}"
    wanted+=("${list[@]}")
done

if ! command -v dpkg-query >/dev/null; then
    echo "install-deps: not a Debian system; make sure you have: ${wanted[*]}" >&2
    exit 0
fi

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

run=()
if [[ $(id -u) -ne 0 ]]; then
    if ! sudo -n true 2>/dev/null; then
        echo "install-deps: missing packages and no right to install them; please run:" >&2
        echo "    sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
    run=(sudo)
fi

echo "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1
}
# A fresh image has no package lists; stale ones only matter when the install fails.
if ! apt install --no-install-recommends "${missing[@]}"; then
    apt update || true
    if ! apt install --no-install-recommends "${missing[@]}"; then
        tail -n 20 "$log" >&2
        echo "install-deps: apt-get could not install: ${missing[*]}" >&2
        exit 1
    fi
fi
