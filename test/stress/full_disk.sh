#!/bin/bash
# SPDX-License-Identifier: MIT
# full_disk.sh - programs/full_disk.c on small file systems, at many fill points: a tmpfs of fixed
# size and an ext4 in a file. Needs root; says so otherwise and ends with 77.
#
#   ROUNDS=20 SEED=1 test/stress/full_disk.sh
. "$(dirname "$0")/build_program.sh"

if [ "$(id -u)" -ne 0 ]; then
    echo "full_disk.sh: skipped: mounting file systems needs root"
    exit 77
fi
build_program full_disk
mkdir "$work/mnt"
clean_up() { if mountpoint -q "$work/mnt"; then umount "$work/mnt"; fi; }

mount_tmpfs() { mount -t tmpfs -o size=32m tmpfs "$work/mnt"; }
mount_ext4() {
    truncate -s 40M "$work/ext4.img"
    mkfs.ext4 -q -F "$work/ext4.img" && mount -o loop "$work/ext4.img" "$work/mnt"
}

first=${SEED:-1} passed=0
for kind in tmpfs ext4; do
    for ((i = 0; i < ${ROUNDS:-20}; i++)); do
        seed=$((first + i))
        if ! "mount_$kind"; then
            echo "full_disk.sh: skipped: $kind cannot be mounted here"
            [ "$kind" = ext4 ] && break
            exit 77
        fi
        printf '%s: ' "$kind"
        timeout 400 "$work/full_disk" "$work/mnt" "$seed" $((3000 + seed * 1237 % 20000)) ||
            { echo; echo "rerun: ROUNDS=1 SEED=$seed $0, on $kind"; exit 1; }
        passed=$((passed + 1))
        umount "$work/mnt"
    done
done
echo "$passed fill points passed"
