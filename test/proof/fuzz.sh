#!/bin/bash
# SPDX-License-Identifier: MIT
# Every decoder, the operation stream and the command's parsers under libFuzzer (test/fuzz/fuzz.h).
#
#   make proof-fuzz BOUND=60              seconds for each target (default 10)
#   TARGETS="log table" BOUND=1200 ...    some of them; pieces table manifest log stream store
#                                         operations command
#
# What is found accumulates in $BUILD/fuzz/found; test/fuzz/corpora.sh makes the checked-in corpora
# of it. N bounds the executions of each target instead of time.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build} bound=${BOUND:-10} seed=${SEED:-1}
targets=${TARGETS:-pieces table manifest log stream store operations command}
command -v clang >/dev/null || { echo "clang is not installed"; exit 77; }

work=$build/fuzz
mkdir -p "$work"
cmake -S . -B "$work/build" -DCMAKE_C_COMPILER=clang -DPEAT_TESTS=OFF -DPEAT_FUZZ=ON \
    -DPEAT_SANITIZE=address >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; exit 1; }
# shellcheck disable=SC2086
cmake --build "$work/build" -j 2 --target $(printf 'fuzz-%s ' $targets) >"$work/build.log" 2>&1 ||
    { tail -n 40 "$work/build.log"; exit 1; }

trials=0 bad=0 figures=
for target in $targets; do
    found=$work/found/$target log=$work/$target.log
    mkdir -p "$found" "$work/broken"
    PEAT_SRC_DIR=$PWD "$build/tests/fuzz_test_corpora" --unpack "$target" "$found"
    limits=(-max_total_time="$bound")
    [[ -z ${N:-} ]] || limits+=(-runs="$N")
    status=0
    # Memory: nothing may be taken because a length says so.
    TIMEFORMAT='%U %S'
    time (cd "$work" && ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
        nice -n 19 "build/test/fuzz/fuzz-$target" -seed="$seed" -rss_limit_mb=1536 \
        -malloc_limit_mb=96 -timeout=120 -max_len="${MAX_LEN:-32768}" -print_final_stats=1 \
        -artifact_prefix="broken/$target-" "${limits[@]}" "found/$target" >"$log" 2>&1) 2>"$work/time" || status=$?
    cpu=$(awk '{ t += $1 + $2 } END { print int(t + 0.5) }' "$work/time" "$work/$target.cpu" \
        2>/dev/null || awk '{ print int($1 + $2 + 0.5) }' "$work/time")
    echo "$cpu 0" >"$work/$target.cpu" # all runs together
    runs=$(grep -oE '^stat::number_of_executed_units: +[0-9]+' "$log" | grep -oE '[0-9]+$' || echo 0)
    edges=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 | grep -oE '[0-9]+' || echo 0)
    if [[ $status -ne 0 ]]; then
        bad=$((bad + 1))
        grep -vE '^#|^INFO|^stat::' "$log" | head -n 60
        echo "rerun: $work/build/test/fuzz/fuzz-$target, or fuzz_test_corpora --run $target, with" \
            "the file above in $work/broken"
    fi
    echo "$target: $runs runs, $edges edges, $(find "$found" -type f | wc -l) inputs," \
        "$cpu s of processor time so far"
    trials=$((trials + runs)) figures+="$target $edges edges, "
done
echo "$trials trials, $bad violations; ${figures}$bound s each"
[[ $bad -eq 0 ]]
