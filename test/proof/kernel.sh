#!/bin/bash
# SPDX-License-Identifier: MIT
# Power cuts of the running kernel's ext4 (ordered, writeback, journal) and XFS on loop devices, by
# their shutdown ioctl under load: N cuts (default 400) or BOUND seconds. Needs root and loop
# devices; KIND= takes one file system. See test/crash/test_kernel.c.
exec env N="${N:-400}" BOUND="${BOUND:-900}" nice -n 19 "$BUILD/tests/crash_test_kernel" --campaign
