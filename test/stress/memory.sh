#!/bin/bash
# SPDX-License-Identifier: MIT
# memory.sh - a data set far larger than the memory given to the store, in a memory group (cgroup v1
# or v2, root) of 1.25 times that memory and not a byte more: the process itself and the page cache
# are counted in it, so the kernel ends the process when it cannot keep within. Where no group can be
# made only the process is watched, and the last line says so. Some minutes; not part of the test suite.
#
#   MEMORY_MIB=64 DATA_MIB=2560 VALUE_BYTES=100 test/stress/memory.sh
. "$(dirname "$0")/build_program.sh"

memory=${MEMORY_MIB:-64} data=${DATA_MIB:-2560} value=${VALUE_BYTES:-100}
limit=$((memory * 1048576 * 5 / 4))
free_kib=$(df --output=avail -k "$work" | tail -1)
if [ "$free_kib" -lt $((data * 3 * 1024)) ]; then
    echo "memory.sh: skipped: less than three times $data MiB free in $work"
    exit 77
fi
build_program memory_load

group=
if [ -w /sys/fs/cgroup/memory/memory.limit_in_bytes ] || [ -d /sys/fs/cgroup/memory ]; then
    group=/sys/fs/cgroup/memory/peat-stress-$$
    most=memory.max_usage_in_bytes kills=memory.oom_control
    if ! { mkdir "$group" && echo "$limit" >"$group/memory.limit_in_bytes"; } 2>/dev/null; then group=; fi
elif grep -qw memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
    group=/sys/fs/cgroup/peat-stress-$$
    most=memory.peak kills=memory.events
    if ! { mkdir "$group" && echo "$limit" >"$group/memory.max"; } 2>/dev/null; then group=; fi
fi
clean_up() { if [ -n "$group" ]; then rmdir "$group" || true; fi; }

if [ -z "$group" ]; then
    echo "no memory group could be made: the process is watched only"
    "$work/memory_load" "$work/store" "$memory" "$data" "$value"
    exit
fi
echo "in a memory group of $((limit / 1024)) KiB"
status=0
# the shell's own children are counted with it; it leaves with exec
(echo "$BASHPID" >"$group/cgroup.procs" && exec "$work/memory_load" "$work/store" "$memory" "$data" "$value") || status=$?
killed=$(awk '$1 == "oom_kill" { print $2 }' "$group/$kills")
used=$(cat "$group/$most" 2>/dev/null || echo 0)
echo "memory group: $((used / 1048576)) MiB at the most of $((limit / 1048576)) with page cache, ${killed:-?} killed for memory"
[ "$status" -eq 0 ] && [ "${killed:-0}" -eq 0 ]
