#!/bin/bash
# SPDX-License-Identifier: MIT
# The one-file form of the library compiles without a warning, has no global symbols but those of the
# public headers, fits twice into one program, and stores a record.
# ctest: timeout=240
set -euo pipefail
[[ -z ${PEAT_SANITIZE:-} ]] || { echo "skipped: covered by the plain build"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "test_amalgamation: $*" >&2; exit 1; }
amalgamate=$PEAT_SRC_DIR/scripts/amalgamate.py

cd "$tmp"
echo "== its command line"
"$amalgamate" --help | grep -q OUTDIR || fail "--help does not help"
for wrong in "--hlep" "-x" "--out=x" "a b" ""; do
    # shellcheck disable=SC2086
    ! "$amalgamate" $wrong 2>/dev/null || fail "'$wrong' is taken"
done
[[ -z $(ls -A) ]] || fail "a wrong call made $(ls -A)"

echo "== one file"
"$amalgamate" "one file"
cp "$PEAT_SRC_DIR/test/packaging/consumer.c" .
"$PEAT_CC" -std=c11 -O0 -Wall -Wextra -Werror -fvisibility=hidden -c "one file/peat.c" &
cat >private.c <<'C'
#define PEAT_API static __attribute__((unused))
#include "one file/peat.c"
const char *private_version(void);
const char *private_version(void) { return peat_version(); }
C
"$PEAT_CC" -std=c11 -O0 -Wall -Wextra -Werror -c private.c
wait $!
"$PEAT_CC" -std=c99 -I"one file" consumer.c peat.o -llz4 -pthread -o consumer
./consumer store | grep -qx 'bog oak'
nm -g --defined-only peat.o | awk '{print $3}' | sort >found
cat "one file"/peat*.h | tr '\n' ' ' | grep -oE 'PEAT_API [^;({]*\bpeat_[a-z0-9_]+\(' |
    grep -oE 'peat_[a-z0-9_]+\($' | tr -d '(' | sort -u >wanted
diff found wanted || fail "global symbols (<) are not the calls of the headers (>)"

echo "== two copies"
[[ $(nm -g --defined-only private.o | wc -l) -eq 1 ]] || fail "a private copy has global symbols"
cat >both.c <<'C'
#include "one file/peat.h"
const char *private_version(void);
int main(void) { return private_version()[0] != peat_version()[0] || private_version() == 0; }
C
"$PEAT_CC" both.c private.o peat.o -llz4 -pthread -o both && ./both
echo "$(wc -l <"one file/peat.c") lines in one file, $(wc -l <found) global symbols"
