#!/bin/bash
# SPDX-License-Identifier: MIT
# Every decoder, the operation stream and the command's parsers under libFuzzer or AFL++
# (test/fuzz/fuzz.h).
#
#   make proof-fuzz BOUND=60              seconds for each target (default 10)
#   TARGETS="log table" BOUND=1200 ...    some of them; pieces table manifest log stream store
#                                         operations command
#   ENGINE=afl ...                        AFL++ (package afl++) with the same targets; no N
#
# What is found accumulates in $BUILD/fuzz/found; test/fuzz/corpora.sh makes the checked-in corpora
# of it. N bounds the executions of each target instead of time.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build} bound=${BOUND:-10} seed=${SEED:-1}
targets=${TARGETS:-pieces table manifest log stream store operations command}
engine=${ENGINE:-libfuzzer} compiler=clang work=$build/fuzz
if [[ $engine == afl ]]; then compiler=afl-clang-fast work=$build/fuzz-afl; fi
command -v "$compiler" >/dev/null || { echo "$compiler is not installed"; exit 77; }

mkdir -p "$work"
cmake -S . -B "$work/build" -DCMAKE_C_COMPILER="$compiler" -DPEAT_TESTS=OFF -DPEAT_FUZZ=ON \
    -DPEAT_SANITIZE=address >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; exit 1; }
# shellcheck disable=SC2046,SC2086
cmake --build "$work/build" -j 2 --target $(printf 'fuzz-%s ' $targets) >"$work/build.log" 2>&1 ||
    { tail -n 40 "$work/build.log"; exit 1; }

# Both leave runs, edges and bad; what they find of their own goes to found/TARGET.
run_libfuzzer() {
    local limits=(-max_total_time="$bound") status=0
    [[ -z ${N:-} ]] || limits+=(-runs="$N")
    # Memory: nothing may be taken because a length says so.
    (cd "$work" && ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
        nice -n 19 "build/test/fuzz/fuzz-$1" -seed="$seed" -rss_limit_mb=1536 \
        -malloc_limit_mb=96 -timeout=120 -max_len="${MAX_LEN:-32768}" -print_final_stats=1 \
        -artifact_prefix="broken/$1-" "${limits[@]}" "found/$1" >"$2" 2>&1) || status=$?
    runs=$(grep -oE '^stat::number_of_executed_units: +[0-9]+' "$2" | grep -oE '[0-9]+$' || echo 0)
    edges=$(grep -oE 'cov: [0-9]+' "$2" | tail -n 1 | grep -oE '[0-9]+' || echo 0)
    return "$status"
}

run_afl() {
    local stats=$work/out-$1/default/fuzzer_stats status=0 saved
    rm -rf "${work:?}/out-$1"
    (cd "$work" && AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 \
        AFL_NO_AFFINITY=1 AFL_FORKSRV_INIT_TMOUT=60000 \
        ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0:max_allocation_size_mb=96 \
        nice -n 19 afl-fuzz -V "$bound" -s "$seed" -t 120000 -m none -G "${MAX_LEN:-32768}" \
        -i "found/$1" -o "out-$1" -- "build/test/fuzz/fuzz-$1" >"$2" 2>&1) || status=$?
    stat_of() { sed -nE "s/^$1 +: ([0-9]+)$/\\1/p" "$stats" 2>/dev/null || echo 0; }
    runs=$(stat_of execs_done) edges=$(stat_of edges_found)
    saved=$(($(stat_of saved_crashes) + $(stat_of saved_hangs)))
    find "$work/out-$1/default/crashes" "$work/out-$1/default/hangs" -name 'id:*' \
        -exec cp {} "$work/broken" \; 2>/dev/null || true
    [[ $status -eq 0 && $saved -eq 0 && ${runs:-0} -gt 0 ]]
}

trials=0 bad=0 figures=
for target in $targets; do
    found=$work/found/$target log=$work/$target.log
    mkdir -p "$found" "$work/broken"
    PEAT_SRC_DIR=$PWD "$build/tests/fuzz_test_corpora" --unpack "$target" "$found"
    status=0
    TIMEFORMAT='%U %S'
    { time run_"$engine" "$target" "$log"; } 2>"$work/time" || status=$?
    cpu=$(awk '{ t += $1 + $2 } END { print int(t + 0.5) }' "$work/time" "$work/$target.cpu" \
        2>/dev/null || awk '{ print int($1 + $2 + 0.5) }' "$work/time")
    echo "$cpu 0" >"$work/$target.cpu" # all runs together
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
