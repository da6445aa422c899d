#!/bin/bash
# SPDX-License-Identifier: MIT
# Power cuts in the simulated environment: every boundary of plans of all kinds of work, cut in every
# way, three cuts deep. N distinct images (default 50000), BOUND seconds. LOAD=, COMMITS=, GARBAGE=1:
# see test/crash/test_cuts.c. An image is what a cut leaves, told from others by a hash of its files.
exec env N="${N:-50000}" BOUND="${BOUND:-600}" nice -n 19 "$BUILD/tests/crash_test_cuts" --campaign
