# SPDX-License-Identifier: MIT
# Random damages of stores, each repaired into a new store: every intact record is recovered, none is
# made up. First small stores with a file of every kind, then tables of many blocks, of which no
# record may be missing that the damage did not touch. N trials or BOUND seconds of each half.
set -euo pipefail
export BOUND=$((${BOUND:-60} / 2))
result() { # of a program, kept whole for whoever reads what failed
    nice -n 19 "$BUILD/tests/$1" --campaign || echo "$1 failed"
}
files=$(result damage_test_repair) blocks=$(result damage_test_repair_blocks)
printf '%s\n' "$files" "$blocks"
read -r -a counts <<<"$(grep -hoE '^[0-9]+ trials, [0-9]+ violations' <<<"$files"$'\n'"$blocks" |
    awk '{ t += $1; v += $3; n++ } END { print t, n == 2 ? v : v + 1 }')"
echo "${counts[0]} trials, ${counts[1]} violations;$(grep -hoE ';.*' <<<"$files" | tail -n 1 | cut -c2-);" \
    "$(grep -hoE ';.*' <<<"$blocks" | tail -n 1 | cut -c3-)"
[[ ${counts[1]} -eq 0 && $files$blocks != *failed* ]]
