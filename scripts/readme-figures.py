#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts the first table of doc/bench.md, with the paragraph before it, into README.md.

Usage: readme-figures.py [--check]     --check changes nothing; status 1 when README.md is behind

Without doc/bench.md the README says that there are no figures.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NONE = "No figures have been recorded for this version.\n"
PLACE = re.compile(r"(<!-- figures: [^\n]*-->\n).*?(<!-- end of figures -->\n)", re.S)
TABLE = re.compile(r"(?:(?:^(?!\||#)[^\n]+\n)+\n)?(?:^\|[^\n]*\|\n){3,}", re.M)


def figures(bench):
    """What README.md shows of the text of doc/bench.md (None: there is none)."""
    if bench is None:
        return NONE
    found = TABLE.search(bench)
    if not found:
        sys.exit("doc/bench.md has no table")
    return found.group(0) + "\nMore in [doc/bench.md](doc/bench.md).\n"


def updated(readme, bench):
    text, count = PLACE.subn(lambda m: m[1] + figures(bench) + m[2], readme)
    if count != 1:
        sys.exit("README.md has no place for figures")
    return text


def read(path):
    try:
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return None


def main():
    old = read("README.md")
    new = updated(old, read("doc/bench.md"))
    if new == old:
        return 0
    if "--check" in sys.argv[1:]:
        print("README.md is behind doc/bench.md: run scripts/readme-figures.py")
        return 1
    with open(os.path.join(ROOT, "README.md"), "w", encoding="utf-8") as f:
        f.write(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
