#!/bin/bash
# SPDX-License-Identifier: MIT
# The memory of a store holds: N times as much data as memory (default 40; MEMORY_MIB=64) in a memory
# group of 1.25 times that memory, every record verified; then hostile loads in full size, each byte
# that is held counted by the simulated environment. A trial is a load. Needs root and cgroups for the
# group; without, only the process is watched. Stops by itself in any case; BOUND is not looked at.
set -euo pipefail
cd "$(dirname "$0")/../.."
memory=${MEMORY_MIB:-64}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
MEMORY_MIB=$memory DATA_MIB=$((memory * ${N:-40})) PEAT_LIB_DIR=$BUILD \
    nice -n 19 bash test/stress/memory.sh 2>&1 | tee "$log" || status=$?
if [[ $status -eq 77 ]]; then exit 77; fi
bad=$((status != 0))
nice -n 19 "$BUILD/tests/resources_test_memory_loads" --campaign 2>&1 | tee -a "$log" || bad=$((bad + 1))
loads=$(grep -cE '^(memory|slices)[ :].*( of |most)' "$log" || true)
process=$(sed -nE 's/^all ([0-9]+) records verified; most: (.*)/\1 records, \2/p' "$log")
group=$(sed -nE 's/^memory group: /group: /p' "$log")
echo "$loads trials, $bad violations; ${N:-40}x: ${process:-failed}; ${group:-no group}"
exit "$((bad != 0))"
