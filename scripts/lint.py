#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The house rules as checks.

Usage: lint.py [CHECK ...]      BUILD=folder of a finished build (default build)

Each finding is one line, "file:line: what is wrong; what to do". Without CHECK the sizes of the
library follow, which are not limited. The last line is "N passed, N failed" in checks.
test/house/test_lint.py plants a violation of every rule.
"""
import os
import sys
import time

sys.dont_write_bytecode = True
from lintlib import build, code, docs, shape  # noqa: E402
from lintlib.tree import Tree  # noqa: E402


def print_sizes(tree):
    rooms = code.sizes(tree)
    print("lines of code (and all lines), assertions in a thousand of code: " +
          ", ".join(f"{room} {count} ({lines}) {1000 * found / max(count, 1):.0f}"
                    for room, count, lines, found in rooms))
    total, lines, found = (sum(row[i] for row in rooms) for i in (1, 2, 3))
    size = build.library_bytes(tree)
    print(f"src {total} ({lines}), {found} assertions, {1000 * found / max(total, 1):.1f} in a thousand" +
          (f"; libpeat.so, stripped, {size} bytes" if size else ""))


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    tree = Tree(root, os.path.join(root, os.environ.get("BUILD") or "build"))
    checks = code.CHECKS + shape.CHECKS + docs.CHECKS + build.CHECKS
    wanted = sys.argv[1:]
    passed = failed = 0
    for check in checks:
        name = check.__name__.replace("check_", "").replace("_", "-")
        if wanted and name not in wanted:
            continue
        started = time.monotonic()
        problems = check(tree)
        rule = " ".join(check.__doc__.split())
        print(f"{'ok  ' if not problems else 'FAIL'} {name:14} {time.monotonic() - started:5.1f} s  "
              f"{rule}")
        for folder in getattr(check, "unmended", ()):
            print(f"  left out until it is mended: src/{folder}")
        for problem in problems:
            print(f"  {problem}")
        passed, failed = passed + (not problems), failed + bool(problems)
    if passed + failed == 0:
        print("lint: no such check: " + " ".join(wanted), file=sys.stderr)
        return 2
    if not wanted:
        print_sizes(tree)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
