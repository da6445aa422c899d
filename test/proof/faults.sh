# SPDX-License-Identifier: MIT
# Every call of the environment fails, workload by workload, in every way; then random faults in
# random workloads; then system calls of a real file system answer errors. Half of N, or of BOUND
# seconds, goes to the first; without them: all points, 2000 random ones, all system calls.
set -euo pipefail
share() { [[ -z ${1:-} ]] || echo $(($1 / $2 + 1)); }
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
part() { # name, share of N and BOUND, program: its output, and its last line kept
    local n bound
    n=$(share "${N:-}" "$2") bound=$(share "${BOUND:-}" "$2")
    N=$n BOUND=$bound nice -n 19 "$BUILD/tests/$3" --campaign | tee -a "$lines"
}
part every 2 faults_test_every_fault
N=${N:-8000} part random 4 faults_test_random_faults
for way in EIO ENOSPC EDQUOT EINTR short; do
    WAY=$way part "$way" 20 faults_test_system_calls || [[ $? -eq 77 ]]
done
awk '/^[0-9]+ trials, / { trials += $1; bad += $3; part[++n] = $1 }
     END { printf "%d trials, %d violations; %d calls of the environment, %d random, %d system calls\n",
           trials, bad, part[1], part[2], trials - part[1] - part[2] }' "$lines"
