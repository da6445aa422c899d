#!/bin/bash
# SPDX-License-Identifier: MIT
# memory.sh - a data set far larger than the memory given to the store, and never more memory than
# 1.25 times that. As root with cgroups (v1 or v2) the kernel enforces twice it, page cache
# included; otherwise only the process is watched. Some minutes; not part of the test suite.
#
#   MEMORY_MIB=64 DATA_MIB=2560 VALUE_BYTES=100 test/stress/memory.sh
. "$(dirname "$0")/build_program.sh"

memory=${MEMORY_MIB:-64} data=${DATA_MIB:-2560} value=${VALUE_BYTES:-100}
limit=$((memory * 2 * 1048576))
free_kib=$(df --output=avail -k "$work" | tail -1)
if [ "$free_kib" -lt $((data * 3 * 1024)) ]; then
    echo "memory.sh: skipped: less than three times $data MiB free in $work"
    exit 77
fi
build_program memory_load

group=
if [ -w /sys/fs/cgroup/memory/memory.limit_in_bytes ] || [ -d /sys/fs/cgroup/memory ]; then
    group=/sys/fs/cgroup/memory/peat-stress-$$
    if mkdir "$group" 2>/dev/null; then
        echo "$limit" 2>/dev/null >"$group/memory.limit_in_bytes" || true
    else group=; fi
elif grep -qw memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
    group=/sys/fs/cgroup/peat-stress-$$
    if mkdir "$group" 2>/dev/null; then
        echo "$limit" 2>/dev/null >"$group/memory.max" || true
    else group=; fi
fi
clean_up() { if [ -n "$group" ]; then rmdir "$group" || true; fi; }

if [ -n "$group" ]; then
    echo "in a memory group of $((limit / 1048576)) MiB"
    # the shell's own children are counted with it; it leaves with exec
    (echo "$BASHPID" >"$group/cgroup.procs" && exec "$work/memory_load" "$work/store" "$memory" "$data" "$value")
else
    echo "no memory group could be made: the process is watched only"
    "$work/memory_load" "$work/store" "$memory" "$data" "$value"
fi
