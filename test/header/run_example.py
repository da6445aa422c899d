#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a program of examples/ in an empty folder, twice: it ends with 0, prints what its head
comment says, and nothing else, and leaves the folder as it was.

Usage: run_example.py SOURCE PROGRAM
"""
import os
import re
import subprocess
import sys
import tempfile

_PRINTS = re.compile(r"^ \* It prints\n \*\n((?: \*     .*\n)+) \*/\n", re.M)


def expected(source):
    """What a program prints, from the end of its head comment; None: it does not say."""
    with open(source, encoding="utf-8") as f:
        found = _PRINTS.search(f.read())
    return found and "".join(line[len(" *     "):] + "\n" for line in found.group(1).splitlines())


def problem(source, program):
    """What is wrong with one run of the program, or None."""
    want = expected(source)
    if want is None:
        return 'its head comment does not end in "It prints" and the lines'
    with tempfile.TemporaryDirectory(prefix="peat-example-") as folder:
        done = subprocess.run([os.path.abspath(program)], cwd=folder, capture_output=True, text=True, timeout=60)
        left = os.listdir(folder)
    if done.returncode != 0:
        return f"it ends with {done.returncode}:\n{done.stdout}{done.stderr}"
    if done.stdout != want or done.stderr != "":
        return f"it prints\n{done.stdout}{done.stderr}instead of\n{want}"
    return f"it leaves {' '.join(left)} behind" if left else None


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    for _ in range(2):
        wrong = problem(*sys.argv[1:])
        if wrong:
            print(f"{sys.argv[1]}: {wrong}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
