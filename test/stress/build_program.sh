#!/bin/bash
# SPDX-License-Identifier: MIT
# build_program.sh - sourced: build_program NAME compiles programs/NAME.c, programs/NAME_*.c and
# test/NAME/NAME_*.c against the library in PEAT_LIB_DIR (default: build) into the folder $work, which is
# removed at the end.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
src=$(cd "$here/../.." && pwd)
lib=${PEAT_LIB_DIR:-$src/build}
work=$(mktemp -d "${TMPDIR:-/tmp}/peat-stress-XXXXXX")
trap 'clean_up; rm -rf "$work"' EXIT
clean_up() { :; }

build_program() {
    local zstd='' uring='' parts
    shopt -s nullglob
    parts=("$here/programs/$1"_*.c "$src/test/$1/$1"_*.c)
    shopt -u nullglob
    if nm -A "$lib/libpeat.a" 2>/dev/null | grep ' U ZSTD_' >/dev/null; then zstd=-lzstd; fi
    if nm -A "$lib/libpeat.a" 2>/dev/null | grep ' U io_uring_' >/dev/null; then uring=-luring; fi
    "${PEAT_CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -I"$src/include" -I"$src/test" \
        -o "$work/$1" "$here/programs/$1.c" "${parts[@]}" "$lib/libpeat.a" -llz4 $zstd $uring -pthread \
        ${PROGRAM_LDFLAGS:-}
}
