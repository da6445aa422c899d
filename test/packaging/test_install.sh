#!/bin/bash
# SPDX-License-Identifier: MIT
# A stranger's program finds the installed library by pkg-config and by find_package, shared and
# static, from C99 and from C++, and the installed tree holds what it should and nothing else.
# ctest: timeout=120
set -euo pipefail
[[ -z ${PEAT_SANITIZE:-} ]] || { echo "skipped: a sanitizer build is not for installing"; exit 77; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "test_install: $*" >&2; exit 1; }

cp "$PEAT_SRC_DIR/test/packaging/consumer.c" "$tmp/consumer.c"
cp "$tmp/consumer.c" "$tmp/consumer.cc"

echo "== install with DESTDIR"
DESTDIR=$tmp/root cmake --install "$PEAT_BUILD_DIR" >"$tmp/install.log" || { cat "$tmp/install.log"; exit 1; }
root=$tmp/root
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:[A-Z]*=//p' "$PEAT_BUILD_DIR/CMakeCache.txt")
libdir=$(cd "$root" && find . -name peat.pc)
libdir=${libdir#.} libdir=${libdir%/pkgconfig/peat.pc}
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root$libdir/pkgconfig
export LD_LIBRARY_PATH=$root$libdir

headers=$(cd "$root$prefix/include" && find . -type f | LC_ALL=C sort | tr '\n' ' ')
[[ $headers == "./peat.h ./peat_admin.h ./peat_env.h ./peat_key.h ./peat_queue.h " ]] || fail "installed headers are: $headers"
[[ -L $root$libdir/libpeat.so && -L $root$libdir/libpeat.so.0.1 ]] || fail "library links are missing"
readelf -d "$root$libdir/libpeat.so" | grep -q 'SONAME.*\[libpeat\.so\.0\.1\]' || fail "wrong SONAME"
if grep -rIl -e "$PEAT_SRC_DIR/" -e "$PEAT_BUILD_DIR" "$root" --include='*.pc' --include='*.cmake' --include='*.h'; then
    fail "the files above name the build machine's folders"
fi

run() {
    "$1" "$tmp/store-$(basename "$1")" | grep -qx 'bog oak' || fail "$1 did not read back its value"
}

echo "== pkg-config $(pkg-config --modversion peat)"
read -ra flags <<<"$(pkg-config --cflags --libs peat)"
read -ra static_flags <<<"$(pkg-config --cflags --static --libs peat)"
"$PEAT_CC" -std=c99 -pedantic -Wall -Wextra -Werror "$tmp/consumer.c" -o "$tmp/c-shared" "${flags[@]}"
run "$tmp/c-shared"
static=("${static_flags[@]/-lpeat/-l:libpeat.a}")
"$PEAT_CC" -std=c99 "$tmp/consumer.c" -o "$tmp/c-static" "${static[@]}"
ldd "$tmp/c-static" | grep -q libpeat && fail "the static program asks for libpeat.so"
run "$tmp/c-static"
c++ -std=c++11 -pedantic -Wall -Wextra -Werror "$tmp/consumer.cc" -o "$tmp/cpp-shared" "${flags[@]}"
run "$tmp/cpp-shared"
examples=("$root$prefix"/share/doc/peat/examples/*.c)
[[ ${#examples[@]} -eq $(cd "$PEAT_SRC_DIR/examples" && ls ./*.c | wc -l) ]] || fail "installed examples are: ${examples[*]}"
"$PEAT_CC" -std=c99 "$root$prefix/share/doc/peat/examples/points.c" -o "$tmp/points" "${flags[@]}"
(cd "$tmp" && ./points) | grep -qx 'apple is green' || fail "an installed example does not run"

echo "== a tree that was moved, into a folder with a space"
mv "$root$prefix" "$tmp/moved tree"
for define in --dont-define-prefix --define-prefix; do
    eval "flags=($(PKG_CONFIG_SYSROOT_DIR="" PKG_CONFIG_LIBDIR="$tmp/moved tree/${libdir#"$prefix"/}/pkgconfig" \
        pkg-config "$define" --cflags --libs peat))"
    "$PEAT_CC" -std=c99 "$tmp/consumer.c" -o "$tmp/c-moved" "${flags[@]}"
    LD_LIBRARY_PATH="$tmp/moved tree/${libdir#"$prefix"/}" run "$tmp/c-moved"
    rm -rf "$tmp/store-c-moved"
done
mv "$tmp/moved tree" "$root$prefix"

echo "== components"
for component in runtime dev command; do
    DESTDIR=$tmp/$component cmake --install "$PEAT_BUILD_DIR" --component "$component" >/dev/null
done
[[ -n ${PEAT_BIN:-} ]] && test -x "$tmp/command$prefix/bin/peat"
test -f "$tmp/dev$prefix/include/peat.h"
[[ -L $tmp/dev$libdir/libpeat.so && -L $tmp/runtime$libdir/libpeat.so.0.1 ]] || fail "the library's links are misplaced"
files() { (cd "$1" && find . ! -type d | sort); }
diff <(files "$root") <(for component in runtime dev command; do files "$tmp/$component"; done | sort) ||
    fail "a file is in no component, or in two"

echo "== find_package"
mkdir "$tmp/project"
cp "$tmp/consumer.c" "$tmp/project/"
cat >"$tmp/project/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(consumer C)
find_package(peat 0.1 REQUIRED)
add_executable(cmake-shared consumer.c)
target_link_libraries(cmake-shared peat::peat)
add_executable(cmake-static consumer.c)
target_link_libraries(cmake-static peat::peat_static)
CMAKE
cmake -S "$tmp/project" -B "$tmp/project/out" -DCMAKE_PREFIX_PATH="$root$prefix" \
    -DCMAKE_C_COMPILER="$PEAT_CC" >"$tmp/cmake.log" 2>&1 || { cat "$tmp/cmake.log"; exit 1; }
cmake --build "$tmp/project/out" >"$tmp/cmake.log" 2>&1 || { cat "$tmp/cmake.log"; exit 1; }
run "$tmp/project/out/cmake-shared"
run "$tmp/project/out/cmake-static"

if [[ -n ${PEAT_BIN:-} ]]; then
    echo "== the command, its manual and its completion"
    "$root$prefix/bin/peat" version | grep -q "$(pkg-config --modversion peat)" || fail "peat version disagrees with peat.pc"
    [[ -s $root$prefix/share/man/man1/peat.1 ]] || fail "no man page"
    [[ -s $root$prefix/share/bash-completion/completions/peat ]] || fail "no bash completion"
    bash -n "$root$prefix/share/bash-completion/completions/peat"
fi
echo "all found"
