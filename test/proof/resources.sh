#!/bin/bash
# SPDX-License-Identifier: MIT
# A poor system: 16 descriptors, no fallocate, huge pages or advice, clocks that jump, two processes
# that race to open (N openings, default 20000), planted links, FIFOs and names. It stops by itself;
# BOUND is not looked at.
exec nice -n 19 "$BUILD/tests/resources_test_poor_system" --campaign
