#!/bin/bash
# SPDX-License-Identifier: MIT
# Records put, get and scan with perf (root) and draws the flame graphs of doc/performance.md.
#
#   bench/flames.sh SOURCE NAME OUTDIR      SOURCE: a checkout of any commit; makes OUTDIR/NAME-put.svg, -get, -scan
#
# RECORDS=3000000, and STORES= a folder for the store. Builds in SOURCE/build-flames, with frame
# pointers; samples of all threads by the clock, so that what the kernel does with interrupts off is
# counted where it switches them on again.
set -euo pipefail
[[ $# -eq 3 && $1 != -* ]] || { sed -n '3,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
source=$1 name=$2 out=$3 n=${RECORDS:-3000000}
stores=${STORES:-$(mktemp -d)} build=$source/build-flames
cmake -S "$source" -B "$build" -G Ninja -DPEAT_BENCH=ON \
    -DCMAKE_C_FLAGS="-fno-omit-frame-pointer -fno-optimize-sibling-calls" >/dev/null
cmake --build "$build" --target peat-bench >/dev/null

# draw GRAPH WORKLOADS [OPTION]...
draw() {
    local graph=$1 workloads=$2 recording
    recording=$(mktemp)
    shift 2
    perf record -q -F 2000 -g -o "$recording" -- "$build/bench/peat-bench" --dir "$stores" --no-latency \
        --records "$n" --keep --workloads "$workloads" "$@" >/dev/null
    perf script -F comm,pid,tid,time,event,ip,sym,dso -i "$recording" 2>/dev/null |
        "$here/flame.py" "$graph at $name: $workloads, $n records" >"$out/$name-$graph.svg"
    rm -f "$recording"
}

draw put fillrandom
draw get readrandom,readrandom --use-existing
draw scan readseq,readseq,readseq,readseq,readseq --use-existing
