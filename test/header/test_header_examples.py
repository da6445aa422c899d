#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes the examples out of the header's tutorial, compiles each as C99 and runs it.

Usage: test_header_examples.py [--header FILE] [--cc CC] [--flags FLAGS] [--lib DIR]

DIR holds libpeat. Each example runs twice in its own directory: the second time it meets the store
that the first left behind. Defaults come from the environment of the test suite.
"""
import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile

WARNINGS = "-std=c99 -pedantic -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Werror"
SANITIZERS = {"address": "-fsanitize=address,undefined -fno-sanitize-recover=all",
              "thread": "-fsanitize=thread"}
EXAMPLE = re.compile(r"^ \* @example (\w+)\n(.*?)^ \* @end$", re.M | re.S)
EXAMPLES_MIN = 4


def arguments():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.environ.get("PEAT_SRC_DIR") or os.path.dirname(os.path.dirname(here))
    parser = argparse.ArgumentParser()
    parser.add_argument("--header", default=os.path.join(root, "include", "peat.h"))
    parser.add_argument("--cc", default=os.environ.get("PEAT_CC") or "cc")
    parser.add_argument("--flags", default=SANITIZERS.get(os.environ.get("PEAT_SANITIZE"), ""))
    parser.add_argument("--lib", default=os.environ.get("PEAT_LIB_DIR") or os.path.join(root, "build"))
    return parser.parse_args()


def extract(header):
    with open(header, encoding="utf-8") as f:
        text = f.read()
    found = {}
    for name, body in EXAMPLE.findall(text):
        lines = body.splitlines()
        bad = [line for line in lines if line != " *" and not line.startswith(" * ")]
        if bad or name in found:
            raise SystemExit(f"{header}: example {name}: " + (f"odd line {bad[0]!r}" if bad else "twice"))
        found[name] = "\n".join(line[3:] for line in lines) + "\n"
    if text.count("@example") != len(found) or text.count("@end") != len(found):
        raise SystemExit(f"{header}: an @example without its @end, or the reverse")
    return found


def run(command, what, directory):
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60)
    if result.returncode != 0:
        print(f"FAIL {what}: status {result.returncode}\n  {shlex.join(command)}\n"
              f"{result.stdout}{result.stderr}")
    return result.returncode == 0


def try_example(args, name, code, directory):
    source = os.path.join(directory, name + ".c")
    with open(source, "w", encoding="utf-8") as f:
        f.write(code)
    lib = os.path.abspath(args.lib)
    command = [args.cc, *WARNINGS.split(), *shlex.split(args.flags),
               "-I" + os.path.dirname(os.path.abspath(args.header)), source, "-o", "example",
               "-L" + lib, "-Wl,-rpath," + lib, "-lpeat"]
    if not run(command, f"{name}: compile", directory):
        return False
    return all(run(["./example"], f"{name}: run {i}", directory) for i in (1, 2))


def main():
    args = arguments()
    examples = extract(args.header)
    if len(examples) < EXAMPLES_MIN:
        raise SystemExit(f"{args.header}: {len(examples)} examples, expected {EXAMPLES_MIN} or more")
    failed = 0
    for name, code in examples.items():
        with tempfile.TemporaryDirectory(prefix="peat-example-") as directory:
            good = try_example(args, name, code, directory)
            failed += not good
            print(f"{'ok  ' if good else 'FAIL'} {name}")
    print(f"{len(examples) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
