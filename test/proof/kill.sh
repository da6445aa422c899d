# SPDX-License-Identifier: MIT
# A process is killed before each of its system calls, workload by workload, and then at random
# times on the real disk (TMPDIR). N kills, 20000 unless it is set, or BOUND seconds: half of them
# each.
set -euo pipefail
half_n=$(((${N:-20000} + 1) / 2)) half_bound=${BOUND:+$(((BOUND + 1) / 2))}
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
WAY=kill N=$half_n BOUND=$half_bound nice -n 19 "$BUILD/tests/faults_test_system_calls" --campaign |
    tee "$lines" || [[ $? -eq 77 ]]
N=$half_n BOUND=$half_bound nice -n 19 "$BUILD/tests/crash_test_kill" --campaign | tee -a "$lines"
awk '/^[0-9]+ trials, / { trials += $1; bad += $3; part[++n] = $1 }
     END { printf "%d trials, %d violations; %d before a system call, %d at random times\n",
           trials, bad, n == 2 ? part[1] : 0, part[n] }' "$lines"
