#!/bin/bash
# SPDX-License-Identifier: MIT
# The corpora of the tree, made again: BUILD=build test/fuzz/corpora.sh [TARGET...]
#
# Takes what make proof-fuzz has found in $BUILD/fuzz/found and the corpora of the tree, keeps the
# smallest inputs that reach everything (libFuzzer's -merge), behind those that once broke a rule
# ($BUILD/fuzz/broken, which are kept for good), and packs as many as 50 KB hold.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
export PEAT_SRC_DIR=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for target in "${@:-pieces table manifest log stream store operations command}"; do
    for name in $target; do
        mkdir "$work/$name" "$work/$name.kept" "$work/$name.small"
        "$build/tests/fuzz_test_corpora" --unpack "$name" "$work/$name"
        for file in "$build/fuzz/broken/$name-"*; do
            [[ ! -f $file ]] || cp "$file" "$work/$name.kept/$(sha1sum <"$file" | cut -c 1-16)"
        done
        "$build/fuzz/build/test/fuzz/fuzz-$name" -merge=1 -max_len=4096 -rss_limit_mb=1536 \
            "$work/$name.small" "$work/$name" "$build/fuzz/found/$name" >"$work/log" 2>&1 ||
            { tail -n 20 "$work/log"; exit 1; }
        mapfile -t files < <(ls -d "$work/$name.kept"/* 2>/dev/null; ls -rS -d "$work/$name.small"/*)
        "$build/tests/fuzz_test_corpora" --pack "$name" "${files[@]}"
    done
done
