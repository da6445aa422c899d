# SPDX-License-Identifier: MIT
# Recorded histories of 2 to 16 threads, one in three ended by SIGKILL, judged for one order of all
# writes: rounds of OPS calls, N of them or BOUND seconds.
BOUND=${BOUND:-60} N=${N:-1000000} exec nice -n 19 "$BUILD/tests/history_test_history" --campaign
