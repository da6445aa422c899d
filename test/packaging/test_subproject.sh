#!/bin/bash
# SPDX-License-Identifier: MIT
# Inside another project, by add_subdirectory and by FetchContent, Peat is the library alone: the
# parent's build type stays, no test, no command, no -Werror, nothing installed unless asked for.
# ctest: timeout=120
set -euo pipefail
[[ -z ${PEAT_SANITIZE:-} ]] || { echo "skipped: covered by the plain build"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "test_subproject: $*" >&2; exit 1; }

mkdir "$tmp/a parent"
cd "$tmp/a parent"
cp "$PEAT_SRC_DIR/test/packaging/consumer.c" .
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(parent C)
if(FETCH)
    include(FetchContent)
    FetchContent_Declare(peat GIT_REPOSITORY nowhere)
    FetchContent_MakeAvailable(peat)
else()
    add_subdirectory("${PEAT_SRC_DIR}" peat)
endif()
add_executable(program consumer.c)
target_link_libraries(program PRIVATE peat::peat_static)
install(FILES consumer.c DESTINATION share/parent)
get_directory_property(tests DIRECTORY "${PEAT_SRC_DIR}" TESTS)
message(STATUS "type='${CMAKE_BUILD_TYPE}' unity='${CMAKE_UNITY_BUILD}' flags='${CMAKE_C_FLAGS_RELEASE}' "
    "standard='${CMAKE_C_STANDARD}' launcher='${CMAKE_C_COMPILER_LAUNCHER}' tests='${tests}'")
CMAKE

configure() { # FOLDER FLAGS...
    local folder=$1
    shift
    cmake -S . -B "$folder" -DPEAT_SRC_DIR="$PEAT_SRC_DIR" -DCMAKE_C_COMPILER="$PEAT_CC" \
        -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@" >"$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
}

check() { # FOLDER
    grep -q "type='' unity='ON' flags='-O3 -DNDEBUG' standard='' launcher='' tests=''" "$1.log" ||
        fail "the parent's settings are $(grep type= "$1.log")"
    ! grep -E 'Werror|-O[0-3]' "$1/compile_commands.json" || fail "$1: flags that the parent did not give"
    ! grep -oE '"file": .*/(tools|test|bench|examples)/[^"]*' "$1/compile_commands.json" || fail "$1: more than the library"
    cmake --install "$1" --prefix "$tmp/installed-$1" >/dev/null
    [[ $(cd "$tmp/installed-$1" && find . -type f) == ./share/parent/consumer.c ]] || fail "$1: something is installed"
}

configure added -DCMAKE_UNITY_BUILD=ON
check added
configure fetched -DCMAKE_UNITY_BUILD=ON -DFETCH=ON -DFETCHCONTENT_SOURCE_DIR_PEAT="$PEAT_SRC_DIR"
check fetched

echo "== alone, no -Werror either, and a user's flags are taken"
cmake -S "$PEAT_SRC_DIR" -B alone -DCMAKE_C_COMPILER="$PEAT_CC" -DPEAT_TESTS=OFF \
    -DCMAKE_C_FLAGS_RELEASE=-O2 >alone.log 2>&1 || { cat alone.log; exit 1; }
! grep -E -m1 'Werror|-O3' alone/compile_commands.json || fail "flags that the user did not give"
grep -qe '-O2' alone/compile_commands.json || fail "the user's flags are ignored"
echo "both ways leave the parent alone"
