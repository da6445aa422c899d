#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many branches of src/ each randomized proof takes, those of its children included.

Usage: proof-coverage.py [BUILD [PROOF...]]     default build-proof-coverage and all of PROOFS
       SEEDS="7 8 9"  runs with each of these seeds count together; JOBS= at once; needs gcc, gcov

One line for each: branches taken, of those in the objects that its programs link. To compare two
states of the tests, run both over the same src/: what is in a program changes with src/.
"""
import collections
import glob
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROOFS = ["history", "stress", "model", "damage", "faults", "crash"]
KILLERS = ("history_test_history", "crash_test_kill")  # others kill by ptrace, or a simulated disk
OWN_SEEDS = ("damage_test_torn_slot",)  # counts over many seeds of its own


def build(folder, proofs):
    shim = os.path.join(folder, "proof-coverage.o")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["cc", "-O1", "-c", os.path.join(ROOT, "scripts/proof-coverage.c"), "-o", shim], check=True)
    subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-DPEAT_TESTS=ON", "-DCMAKE_BUILD_TYPE=Debug",
                    "-DCMAKE_C_FLAGS=--coverage",
                    f"-DCMAKE_EXE_LINKER_FLAGS={shim} -Wl,--wrap=_exit,--wrap=kill"],
                   check=True, stdout=subprocess.DEVNULL)
    names = sorted(f"{proof}_{os.path.basename(path)[:-2]}" for proof in proofs
                   for path in glob.glob(os.path.join(ROOT, "test", proof, "test_*.c")))
    subprocess.run(["cmake", "--build", folder, "-j", os.environ.get("JOBS", "2"), "--target", *names],
                   check=True, stdout=subprocess.DEVNULL)
    return names


def run(folder, name):
    program = os.path.join(folder, "tests", name)
    environment = dict(os.environ)
    if name in KILLERS:
        environment["PROOF_COVERAGE_KILLS"] = "1"
    for seed in [None] if name in OWN_SEEDS else os.environ.get("SEEDS", "7").split():
        if seed is not None:
            environment["SEED"] = seed
        done = subprocess.run([program], env=environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=600, check=False)
        if done.returncode not in (0, 77):
            print(f"{name}: exit status {done.returncode}")


def profiles(folder):
    return [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names
            if name.endswith(".gcda")]


def branches(folder):
    """How often each branch of src/ was taken, in whichever object."""
    taken = collections.Counter()
    for profile in profiles(folder):
        done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", profile],
                              check=True, capture_output=True, text=True, cwd=folder)
        unit = json.loads(done.stdout)
        for file in unit["files"]:
            source = os.path.normpath(os.path.join(unit["current_working_directory"], file["file"]))
            if not source.startswith(os.path.join(ROOT, "src") + os.sep):
                continue
            for line in file["lines"]:
                for i, branch in enumerate(line["branches"]):
                    place = (source, line["line_number"], line.get("function_name"), i)
                    taken[place] += branch["count"]
    return taken


def main():
    folder = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build-proof-coverage"))
    proofs = sys.argv[2:] or PROOFS
    names = build(folder, proofs)
    for proof in proofs:
        for profile in profiles(folder):
            os.unlink(profile)
        started = time.monotonic()
        for name in names:
            if name.startswith(proof + "_"):
                run(folder, name)
        taken = branches(folder)
        count = sum(n != 0 for n in taken.values())
        print(f"{proof}: {count} of {len(taken)} branches, {100 * count / max(len(taken), 1):.1f} %, "
              f"in {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
