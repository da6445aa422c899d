#!/bin/bash
# SPDX-License-Identifier: MIT
# idle.sh - programs/idle.c with one and with four threads: half a minute, most of it waiting.
. "$(dirname "$0")/build_program.sh"
build_program idle
for threads in 1 4; do
    rm -rf "$work/store"
    "$work/idle" "$work/store" "$threads"
done
