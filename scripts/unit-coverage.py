#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many branches of the pure parts their unit tests take, alone and together.

Usage: unit-coverage.py [BUILD]      its own build folder, default build-coverage; JOBS= at once

One line for each source: branches taken of all, and of all but those in which an assertion fails.
Exit status 1 when one takes less than nine tenths of all. Needs gcc and its gcov.
"""
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TESTS = ["compact/test_pick", "compact/test_pick_quiet", "compact/test_split", "compact/test_version_gc",
         "compact/test_merge_edit", "compact/test_flush_edit", "entry/test_kinds"]
# Where each is compiled: functions of a header are those of the test that includes it.
OBJECTS = {f"src/{name}.c": f"CMakeFiles/peat_objects.dir/src/{name}.c.gcno"
           for name in ("compact/pick", "compact/split", "compact/version_gc", "compact/merge_edit",
                        "compact/flush_edit")}
OBJECTS["src/entry/entry.h"] = "test/CMakeFiles/entry_test_kinds.dir/entry/test_kinds.c.gcno"


def build(folder):
    targets = [name.replace("/", "_") for name in TESTS]
    subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-DPEAT_TESTS=ON", "-DCMAKE_BUILD_TYPE=Debug",
                    "-DCMAKE_C_FLAGS=--coverage"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "-j", os.environ.get("JOBS", "2"), "--target", *targets],
                   check=True, stdout=subprocess.DEVNULL)
    return [os.path.join(folder, "tests", target) for target in targets]


def forget_runs(folder):
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".gcda"):
                os.unlink(os.path.join(path, name))


def branches(folder, source):
    """(taken, in which an assertion fails) for each branch of the source."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities",
                           os.path.join(folder, OBJECTS[source])],
                          check=True, capture_output=True, text=True, cwd=folder)
    with open(os.path.join(ROOT, source), encoding="utf-8") as f:
        asserts = ["PT_ASSERT(" in line or "PT_DCHECK(" in line for line in f]
    return [(branch["count"] != 0, asserts[line["line_number"] - 1] and branch["count"] == 0)
            for file in json.loads(done.stdout)["files"] if file["file"].endswith("/" + source)
            for line in file["lines"] for branch in line["branches"]]


def main():
    folder = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build-coverage"))
    programs = build(folder)
    forget_runs(folder)
    started = time.monotonic()
    for program in programs:
        subprocess.run([program], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"{len(programs)} programs, {1000 * (time.monotonic() - started):.0f} ms")
    good = True
    for source in OBJECTS:
        found = branches(folder, source)
        taken, ends = (sum(f[i] for f in found) for i in (0, 1))
        good = good and taken >= 0.9 * len(found) > 0
        print(f"{source:26} {taken:3} of {len(found):3} branches, {100 * taken / max(len(found), 1):5.1f} %; "
              f"but for assertions {100 * taken / max(len(found) - ends, 1):5.1f} %")
    return 0 if good else 1


sys.exit(main())
