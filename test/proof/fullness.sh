# SPDX-License-Identifier: MIT
# A store on a small file system that is full, at N points (10000 unless it is set, or for BOUND
# seconds); then ROUNDS (3) large ones on a tmpfs and on an ext4 of tens of MiB, which needs root.
set -euo pipefail
rounds=${ROUNDS:-3} large=0
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
nice -n 19 "$BUILD/tests/faults_test_fill" --campaign | tee "$lines"
if [[ $rounds -gt 0 ]]; then
    ROUNDS=$rounds PEAT_LIB_DIR=$(realpath "$BUILD") nice -n 19 bash test/stress/full_disk.sh |
        tee -a "$lines" || [[ $? -eq 77 ]]
    large=$(sed -n 's/^\([0-9]*\) fill points passed$/\1/p' "$lines")
fi
awk -v large="${large:-0}" '/^[0-9]+ trials, / { trials = $1; bad = $3; calls = $7 }
     END { printf "%d trials, %d violations; %d points of a small disk, %d of a larger one, %d calls found it full\n",
           trials + large, bad, trials, large, calls }' "$lines"
