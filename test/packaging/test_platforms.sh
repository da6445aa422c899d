#!/bin/bash
# SPDX-License-Identifier: MIT
# A 32-bit build stops at a sentence that says so, before any other message; the public headers are
# clean for C++ users with strict warnings; make lint builds what it looks at.
# ctest: timeout=60
set -euo pipefail
fail() { echo "test_platforms: $*" >&2; exit 1; }
cd "$PEAT_SRC_DIR"

echo "== 32 bits"
for folder in src/*/; do
    files=("$folder"*.c) file=${files[0]}
    first=$("$PEAT_CC" -std=c11 -D_GNU_SOURCE -U__SIZEOF_POINTER__ -D__SIZEOF_POINTER__=4 -w -Isrc -Iinclude \
        -fsyntax-only "$file" 2>&1 | grep -m1 'error:' || true)
    [[ $first == *"64-bit systems only"* ]] || fail "$file: the first message is '$first'"
done

echo "== C++"
for standard in 11 17 20; do
    for header in peat.h peat_env.h peat_key.h peat_queue.h; do
        echo "#include <$header>" | c++ -std=c++$standard -xc++ -Iinclude -fsyntax-only -Wall -Wextra -pedantic -Werror \
            -Wold-style-cast -Wzero-as-null-pointer-constant -Wconversion -Wsign-conversion -Wcast-qual -Wshadow -
    done
done

echo "== make lint"
order=$(make -n lint BUILD="$(mktemp -u)" | grep -nE -- '--target peat_libraries peat_manual|scripts/lint.py' | sed 's/.*target.*/build/; s/.*lint.py.*/lint/' | tr '\n' ' ')
[[ $order == "build lint " ]] || fail "make lint does: $order"
echo "said"
