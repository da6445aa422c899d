#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs a command in a memory group (cgroup v1 or v2; root) of so many MiB, page cache included: the
# one way to give every engine the same memory, since some of them use page cache without bound.
#
#   bench/in-group.sh 256 build/bench/peat-bench --compare peat,lmdb --memory 128 ...
set -euo pipefail
[[ $# -ge 2 && $1 =~ ^[0-9]+$ ]] || { sed -n '3,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
bytes=$(($1 * 1048576)) root=/sys/fs/cgroup
shift
if [[ -d $root/memory ]]; then
    group=$root/memory/peat-bench-$$ limit=memory.limit_in_bytes
else
    group=$root/peat-bench-$$ limit=memory.max
    echo +memory >$root/cgroup.subtree_control || true
fi
if ! mkdir "$group" || ! echo "$bytes" >"$group/$limit"; then
    echo "in-group.sh: no memory group can be made; it takes root and cgroups" >&2
    exit 2
fi
trap 'rmdir "$group"' EXIT
# A subshell enters the group and becomes the command, so that this shell can remove the group.
(echo "$BASHPID" >"$group/cgroup.procs" && exec "$@")
