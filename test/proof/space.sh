#!/bin/bash
# SPDX-License-Identifier: MIT
# The directory stays within its bound under loads whose truth is known, a little is rewritten for a
# little, and what a byte costs in writes (test/space/space.h). A trial is one load with one
# budget and one way of working: a thread, or none and peat_work.
#
#   N=20          seconds of the steady loads; the others go with it. From 100 on the store with a
#                 trickle is of 10 GB, which wants 25 GB of disk
#   BOUND=        no load is begun after so many seconds
#   LOADS="trickle queue"  BUDGETS="32 256"  THREADS="1 -1"   choose
set -euo pipefail
PEAT_LIB_DIR=$BUILD
PROGRAM_LDFLAGS=-Wl,--wrap=pthread_cond_timedwait
. "$(dirname "$0")/../stress/build_program.sh"
build_program space
export PEAT_BIN=$BUILD/peat
loads=${LOADS:-trickle retention queue cache shrink large uniform sizes ranges snapshot iterator \
    iterator_standing pin quiet_delete quiet_shrink shell idle amplification amplification_small}
lines=$work/lines
trials=0 bad=0
for budget in ${BUDGETS:-32 256}; do
    for threads in ${THREADS:-1 -1}; do
        for load in $loads; do
            [[ $SECONDS -lt ${BOUND:-100000} ]] || break 3
            rm -rf "$work/store"
            trials=$((trials + 1))
            nice -n 19 "$work/space" "$load" "$work/store" "$budget" "$threads" "${N:-20}" "$SEED" |
                tee -a "$lines" || bad=$((bad + 1))
        done
    done
done
rm -rf "$work/store"
worst=$(sed -nE 's/^([a-z_]+) .* ([0-9]+) MiB, threads +(-?[0-9]+): worst ([0-9.]+) of .*/\4 \1 \2 \3/p' "$lines" |
    sort -rn | awk 'NR == 1 { printf "%s of the bound at the most (%s, %s MiB, threads %s)", $1, $2, $3, $4 }')
written=$(sed -nE 's/^  amplification: ([a-z ]+) ([0-9.]+) of .*/\2 \1/p' "$lines" | sort -rn |
    awk '{ x = $1; sub(/^[^ ]+ /, ""); if (!($0 in most)) { most[$0] = x; text = text sep $0 " " x; sep = ", " } }
         END { print text }')
echo "$trials trials, $bad violations; $worst${written:+; written for each byte: $written}"
exit "$((bad != 0))"
