#!/bin/bash
# SPDX-License-Identifier: MIT
# The one-file form of the library compiles without a warning and stores a record.
# ctest: timeout=120
set -euo pipefail
[[ -z ${PEAT_SANITIZE:-} ]] || { echo "skipped: covered by the plain build"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$PEAT_SRC_DIR/scripts/amalgamate.py" "$tmp"
cp "$PEAT_SRC_DIR/test/packaging/consumer.c" "$tmp/"
cd "$tmp"
"$PEAT_CC" -std=c11 -O1 -Wall -Wextra -Werror -Wno-unused-function -fvisibility=hidden \
    -I. -c peat.c
"$PEAT_CC" -std=c99 -I. consumer.c peat.o -llz4 -pthread -o consumer
./consumer store | grep -qx 'bog oak'
echo "$(wc -l <peat.c) lines in one file"
