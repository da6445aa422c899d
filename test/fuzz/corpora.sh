#!/bin/bash
# SPDX-License-Identifier: MIT
# The corpora of the tree, made again: BUILD=build test/fuzz/corpora.sh [TARGET...]
#
# Takes what make proof-fuzz has found in $BUILD/fuzz/found and the corpora of the tree, keeps the
# smallest inputs that reach everything (libFuzzer's -merge) and packs as many as 50 KB hold. What
# broke a rule once is kept for good, by hand, in test/fuzz/broken.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
export PEAT_SRC_DIR=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for target in "${@:-pieces table manifest log stream store operations command}"; do
    for name in $target; do
        mkdir "$work/$name" "$work/$name.small"
        "$build/tests/fuzz_test_corpora" --unpack "$name" "$work/$name"
        "$build/fuzz/build/test/fuzz/fuzz-$name" -merge=1 -max_len=4096 -rss_limit_mb=1536 \
            "$work/$name.small" "$work/$name" "$build/fuzz/found/$name" >"$work/merge.txt" 2>&1 ||
            { tail -n 20 "$work/merge.txt"; exit 1; }
        # named by their hashes, so all sizes are mixed; more would cost the tests too much time
        mapfile -t files < <(find "$work/$name.small" -type f | sort | head -n 150)
        "$build/tests/fuzz_test_corpora" --pack "$name" "${files[@]}"
    done
done
