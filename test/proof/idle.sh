#!/bin/bash
# SPDX-License-Identifier: MIT
# A store left alone settles and then uses no CPU at all, with one and with four threads: N times each
# (default 1, ten seconds). BOUND is not looked at.
. "$(dirname "$0")/../stress/build_program.sh"
lib=$BUILD
build_program idle
trials=0 bad=0
for ((round = 0; round < ${N:-1}; round++)); do
    for threads in 1 4; do
        rm -rf "$work/store"
        "$work/idle" "$work/store" "$threads" || bad=$((bad + 1))
        trials=$((trials + 1))
    done
done
echo "$trials trials, $bad violations; 3 s without an event, a tick or a context switch"
exit "$((bad != 0))"
