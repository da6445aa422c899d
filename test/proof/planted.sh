#!/bin/bash
# SPDX-License-Identifier: MIT
# Plants known bugs one at a time and expects a test to find each (test/planted/README.md).
#
#   make proof-planted                     all of test/planted
#   ONLY="cache manifest" make proof-planted   those whose name contains one of the words
#
# A plant says "what:" the bug is, "tests:" who should find it, most likely first, and which old text
# of which file becomes which new one. Each is put into a copy of the tree (test/planted/plants.py),
# built, and the tests run until one fails; a plant that no test finds, or that does not apply any
# more, is a violation; house/test_plants.py finds the latter sooner. N bounds the number of
# plants, BOUND the seconds of all (what is not reached is not counted). TABLE=1 rewrites the table
# of test/planted/README.md. REV=HEAD takes the tree of a commit instead of the files as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD only=${ONLY:-} limit=${N:-1000} bound=${BOUND:-100000}
test_seconds=${TEST_SECONDS:-120} # a test that takes longer hangs: that finds it too
unset ONLY N SEED BOUND # of the proof, not of the tests: an empty N is none of their rounds
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/tree"
# the files that git knows, as they are now; with REV= as they were there
if [[ -n ${REV:-} ]]; then git archive "$REV"; else git ls-files -z | xargs -0 tar c; fi | tar xm -C "$work/tree"
cp -r "$work/tree" "$work/sound" # never planted: where a plant's files come back from
cp -r test/planted "$work/plants"
launcher=$(command -v ccache || true)
cmake -S "$work/tree" -B "$work/build" -DPEAT_TESTS=ON -DPEAT_WERROR=OFF \
    ${launcher:+-DCMAKE_C_COMPILER_LAUNCHER=$launcher} \
    $(command -v ninja >/dev/null && echo "-G Ninja") >"$work/configure.log" 2>&1 ||
    { cat "$work/configure.log"; exit 1; }

matches() {
    local word
    [[ -z $only ]] && return 0
    for word in $only; do [[ $1 == *$word* ]] && return 0; done
    return 1
}

# build TEST: the program of a C test, or all that scripts need
build() {
    local program=${1%.c}
    local targets=("${program//\//_}")
    [[ $1 == *.c ]] || targets=(peat_command peat_libraries)
    nice -n 10 cmake --build "$work/build" -j 2 --target "${targets[@]}" >"$work/build.log" 2>&1
}

# run TEST: fails when the test does
run() {
    local program=${1%.c}
    export PEAT_SRC_DIR=$work/tree PEAT_BUILD_DIR=$work/build PEAT_BIN=$work/build/peat \
        PEAT_LIB_DIR=$work/build PEAT_INCLUDE_DIR=$work/tree/include PEAT_CC=cc PEAT_SANITIZE=
    case $1 in
    *.c) (cd "$work/build" && timeout -k 5 "$test_seconds" "tests/${program//\//_}") ;;
    *.py) timeout -k 5 "$test_seconds" python3 "$work/tree/test/$1" ;;
    *) timeout -k 5 "$test_seconds" bash "$work/tree/test/$1" ;;
    esac >"$work/test.log" 2>&1 </dev/null
}

# Before anything is planted the tests pass: else they find nothing.
declare -A sound
check_sound() {
    [[ -n ${sound[$1]:-} ]] && return 0
    build "$1" || { tail -n 30 "$work/build.log"; return 1; }
    if run "$1"; then sound[$1]=yes; else
        echo "$1 fails without a plant:"; tail -n 30 "$work/test.log"
        return 1
    fi
}

how() { # what the test said, in few words
    local status=$1 line
    [[ $status -eq 124 || $status -eq 137 ]] && { echo "it hangs"; return; }
    line=$(grep -aoE '^\[  FAILED  \] [a-z_]+|^\[ RUN      \] [a-z_]+' "$work/test.log" |
        sed -nE '/FAILED/{s/^.{13}//;p;q}; $s/^.{13}//p')
    [[ $status -gt 128 && -z $line ]] && line="stopped by signal $((status - 128))"
    echo "${line:-exit $status}"
}

# apply PLANT: the tree stays as it is when it fails
apply() {
    python3 -B "$work/plants/plants.py" "$work/tree" "$1" >"$work/changed" 2>"$work/plant.log"
}

restore() { # the files that the plant changed; they are new to the build
    local file
    while IFS= read -r file; do cp "$work/sound/$file" "$work/tree/$file"; done <"$work/changed"
}

trials=0 bad=0 rows=
begun=$SECONDS
for plant in "$work"/plants/*.plant; do
    name=$(basename "$plant" .plant)
    matches "$name" && [[ $trials -lt $limit && $((SECONDS - begun)) -lt $bound ]] || continue
    what=$(sed -n '1s/^what: //p' "$plant") tests=$(sed -n '2s/^tests: //p' "$plant")
    trials=$((trials + 1)) finder=
    for test in $tests; do check_sound "$test" || { bad=$((bad + 1)); continue 2; }; done
    if ! apply "$plant"; then
        bad=$((bad + 1))
        echo "does not apply any more: $(tail -n 1 "$work/plant.log")"
        continue
    fi
    started=$SECONDS
    for test in $tests; do
        status=0
        build "$test" || { echo "$name: does not build"; tail -n 20 "$work/build.log"; break; }
        started=$SECONDS
        run "$test" || status=$?
        if [[ $status -ne 0 ]]; then
            finder=$test said=$(how "$status") took=$((SECONDS - started))
            break
        fi
    done
    restore
    if [[ -n $finder ]]; then
        echo "$name: $finder ($took s): $said"
        rows+="| $name | $what | \`$finder\`: $said | $took |"$'\n'
    else
        bad=$((bad + 1))
        echo "$name: NOT FOUND: $what (tried $tests)"
    fi
done
if [[ -n ${TABLE:-} && $bad -eq 0 ]]; then
    sed -i '/^|/d' "$root/test/planted/README.md"
    printf '| plant | bug | found by | s |\n|---|---|---|---|\n%s' "$rows" >>"$root/test/planted/README.md"
fi
echo "$trials trials, $bad violations; every plant found: $([[ $bad -eq 0 ]] && echo yes || echo no)"
[[ $bad -eq 0 ]]
