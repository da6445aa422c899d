#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs one proof of test/proof and prints what it showed as its last line.
#
#   scripts/proof.sh NAME        SEED=, N= (trials) and BOUND= (seconds) change its size
#   RECORD=1 scripts/proof.sh NAME   also adds the line to doc/proofs.tsv
#
# A proof is test/proof/NAME.sh. It finds the build with tests in $BUILD, stops by itself after N
# trials or $BOUND seconds, and its last line is "N_DONE trials, N_BAD violations[; figures]".
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:-}
script=test/proof/$name.sh
if [[ -z $name || ! -f $script ]]; then
    echo "proof: no proof '$name'; there are: $(cd test/proof && echo *.sh | sed 's/\.sh//g')" >&2
    exit 2
fi
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD # proofs change their folder
export BUILD SEED=${SEED:-1} N=${N:-} BOUND=${BOUND:-}
started=$SECONDS
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
bash "$script" 2>&1 | tee "$log" || status=$?
took=$((SECONDS - started))
result=$(grep -E '^[0-9]+ trials, [0-9]+ violations' "$log" | tail -n 1 || true)
if [[ $status -eq 77 ]]; then
    echo "proof $name: skipped: $(tail -n 1 "$log")"
    exit 0
fi
if [[ $status -ne 0 || ! $result =~ ^[1-9][0-9]*\ trials,\ 0\ violations ]]; then
    echo "proof $name: FAILED (seed $SEED, $took s): ${result:-no result line}"
    exit 1
fi
commit=$(git rev-parse --short=10 HEAD 2>/dev/null || echo unknown)
if ! git diff --quiet HEAD -- src include test 2>/dev/null; then commit+=+; fi
echo "proof $name: ok: $result (seed $SEED, $took s, commit $commit)"
if [[ -n ${RECORD:-} ]]; then
    trials=${result%% *}
    figures=$(sed -E 's/^[0-9]+ trials, 0 violations;? ?//' <<<"$result")
    printf '%s\t%s\t%s\t%s\t0\t%s\t%s\n' "$commit" "$name" "$SEED" "$trials" "$took" "$figures" >>doc/proofs.tsv
fi
