#!/bin/bash
# SPDX-License-Identifier: MIT
# A poor system: 16 descriptors, no fallocate, huge pages or advice, clocks that jump; two processes
# that race to open (N openings, default 20000), planted links, FIFOs and names. It stops by itself;
# BOUND is not looked at.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for program in poor_system doors; do
    nice -n 19 "$BUILD/tests/resources_test_$program" --campaign 2>&1 | tee -a "$log" || true
done
awk -v openings="${N:-20000}" '
    / trials, [0-9]+ violations/ { trials += $1; bad += $3; programs++ }
    END {
        if (programs < 2) bad++
        printf "%d trials, %d violations; %d openings in a race\n", trials, bad, openings
        exit bad != 0
    }' "$log"
