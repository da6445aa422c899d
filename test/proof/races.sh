# SPDX-License-Identifier: MIT
# The tests that have threads, the stress program and the histories under ThreadSanitizer, built with
# gcc and with clang (COMPILERS) in folders of their own ($BUILD-tsan-...), without suppressions.
# BOUND: seconds for the stress program and the histories of each compiler.
set -euo pipefail
bound=${BOUND:-60}
trials=0 violations=0 seconds=0
for compiler in ${COMPILERS:-gcc clang}; do
    if ! command -v "$compiler" >/dev/null; then
        echo "no $compiler here"
        continue
    fi
    build=$BUILD-tsan-$compiler
    mkdir -p "$build"
    cmake -S . -B "$build" -DCMAKE_C_COMPILER="$compiler" -DPEAT_SANITIZE=thread -DPEAT_TESTS=ON \
        >"$build/configure.log"
    nice -n 19 cmake --build "$build" -j "${JOBS:-$(nproc)}" >"$build/build.log"
    started=$SECONDS
    export SEED
    for program in stress_test_stress history_test_history; do
        # The stress program counts seconds, the histories their bound.
        arguments=()
        [[ $program != history_test_history ]] || arguments=(--campaign)
        if (cd "$build" && N=$([[ $program == stress* ]] && echo $((bound / 2)) || echo 1000000) \
            BOUND=$((bound / 2)) OPS=20000 TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
            nice -n 19 "tests/$program" "${arguments[@]}"); then
            trials=$((trials + 1))
        else
            violations=$((violations + 1))
        fi
    done
    # Without its environment a test would take N and SEED for its own.
    line=$(env -u N -u BOUND nice -n 19 scripts/run-tests.py "$build" -LE 'house|packaging|single' |
        tee "$build/tests.log" | tail -n 1)
    echo "$compiler: $line"
    [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || { tail -n 50 "$build/tests.log"; exit 1; }
    grep '^failed: ' "$build/tests.log" || true
    trials=$((trials + BASH_REMATCH[1])) violations=$((violations + BASH_REMATCH[2]))
    seconds=$((seconds + SECONDS - started))
done
echo "$trials trials, $violations violations; every test under ThreadSanitizer, $seconds s"
[[ $violations -eq 0 ]]
