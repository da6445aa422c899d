#!/bin/bash
# SPDX-License-Identifier: MIT
# recovery.sh - how long an open takes that finds a log of LOG_MIB (programs/recovery.c), with the
# default options and with 16 MiB. Needs 2 GiB of memory; not part of the test suite.
#
#   LOG_MIB=1024 VALUES="100 1000" MEMORIES="0 16" test/stress/recovery.sh
. "$(dirname "$0")/build_program.sh"
build_program recovery
for value in ${VALUES:-100 1000}; do
    for memory in ${MEMORIES:-0 16}; do
        rm -rf "$work/store"
        "$work/recovery" "$work/store" "${LOG_MIB:-1024}" "$value" "$memory"
    done
done
