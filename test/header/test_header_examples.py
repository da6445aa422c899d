#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes the program out of the header's first page, compiles it as C99 and runs it; compiles the
initialisers as each C and C++ there is, and results that nobody looks at, which must be refused.

Usage: test_header_examples.py [--header FILE] [--cc CC] [--flags FLAGS] [--lib DIR]

DIR holds libpeat. The program runs twice in its own directory: the second time it meets the store
that the first left behind. Defaults come from the environment of the test suite.
"""
import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from toolchain import CC, FLAGS, LIB, ROOT, WARNINGS, languages  # noqa: E402

EXAMPLE = re.compile(r"^ \* @example (\w+)\n(.*?)^ \* @end$", re.M | re.S)
LINES_MAX = 30  # a page: longer ones are programs of examples/

# In both languages, without a warning: static data, structs by their initialisers.
INITIALISERS = """
#include <peat.h>
#include <stdio.h>

static const peat_slice names[] = {PEAT_SLICE("bog"), PEAT_SLICE(""), PEAT_SLICE("a\\0b")};

int main(void)
{
    peat_options options = PEAT_OPTIONS_INIT;
    peat_write_options writing = PEAT_WRITE_OPTIONS_INIT;
    peat_read_options reading = PEAT_READ_OPTIONS_INIT;
    peat_iter_options range = PEAT_ITER_OPTIONS_INIT;
    peat_check_options checking = PEAT_INIT(peat_check_options);
    peat_repair_options repairing = PEAT_INIT(peat_repair_options);
    peat_export_options exporting = PEAT_INIT(peat_export_options);
    peat_statistics stats = PEAT_INIT(peat_statistics);
    peat_progress progress = PEAT_INIT(peat_progress);
    peat_host host = PEAT_INIT(peat_host);
    peat_db *db = NULL;
    peat_buf value = PEAT_BUF_INIT;
    peat_pinned pin = PEAT_PINNED_INIT;
    bool there = false;
    size_t i;
    options.host = &host;
    writing.sync = true;
    range.prefix = names[0];
    if (peat_open("initialised", &options, &db, NULL) != PEAT_OK)
        return 1;
    for (i = 0; i < sizeof names / sizeof *names; i++)
        if (peat_put(db, &writing, names[i], names[i]) != PEAT_OK ||
            peat_get(db, &reading, names[i], &value) != PEAT_OK || value.size != names[i].size ||
            peat_has(db, NULL, names[i], &there) != PEAT_OK || !there)
            return 2;
    peat_buf_free(&value);
    peat_unpin(&pin);
    if (peat_check(db, &checking, NULL) != PEAT_OK || peat_stats(db, &stats) != PEAT_OK ||
        stats.puts != 3 || names[2].size != 3 || repairing.size != sizeof repairing ||
        exporting.progress != NULL || progress.fn != NULL || range.lower.data != NULL)
        return 3;
    return peat_close(db) == PEAT_OK ? 0 : 4;
}
"""

# Each line but the first is a call whose result is lost.
UNUSED = """
#include <peat.h>
void lose(peat_db *db, peat_iter *it, peat_batch *batch);
void lose(peat_db *db, peat_iter *it, peat_batch *batch)
{
    %s;
}
"""
LOST = ("peat_put(db, NULL, peat_str(\"a\"), peat_str(\"b\"))", "peat_exists(db, NULL, peat_str(\"a\"))",
        "peat_iter_next(it)", "peat_batch_delete(batch, peat_str(\"a\"))", "peat_sync(db)",
        "peat_close(db)", "peat_compact(db, peat_unbounded(), peat_unbounded(), NULL)")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--header", default=os.path.join(ROOT, "include", "peat.h"))
    parser.add_argument("--cc", default=CC)
    parser.add_argument("--flags", default=FLAGS)
    parser.add_argument("--lib", default=LIB)
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
    command = [args.cc, "-std=c99", "-Wstrict-prototypes", *WARNINGS, *shlex.split(args.flags),
               "-I" + os.path.dirname(os.path.abspath(args.header)), source, "-o", "example",
               "-L" + lib, "-Wl,-rpath," + lib, "-lpeat"]
    if not run(command, f"{name}: compile", directory):
        return False
    return all(run(["./example"], f"{name}: run {i}", directory) for i in (1, 2))


def try_languages(args, directory):
    """Returns how many of the initialisers and of the lost results went wrong, and how many ran."""
    lib, failed, ran = os.path.abspath(args.lib), 0, 0
    include = "-I" + os.path.dirname(os.path.abspath(args.header))
    for cc, std, warnings, _ in languages(args.cc):
        source = os.path.join(directory, "source" + (".cc" if "++" in std else ".c"))
        begin = [cc, "-std=" + std, *warnings, *shlex.split(args.flags), include, source]
        with open(source, "w", encoding="utf-8") as f:
            f.write(INITIALISERS)
        store = tempfile.mkdtemp(dir=directory)
        good = run(begin + ["-o", "example", "-L" + lib, "-Wl,-rpath," + lib, "-lpeat"],
                   f"initialisers: compile as {std}", directory) and \
            run([os.path.join(directory, "example")], f"initialisers: run as {std}", store)
        for call in LOST:
            with open(source, "w", encoding="utf-8") as f:
                f.write(UNUSED % call)
            result = subprocess.run(begin + ["-fsyntax-only"], capture_output=True, text=True,
                                    timeout=60)
            if result.returncode == 0 or "unused" not in result.stderr and \
                    "ignoring" not in result.stderr:
                print(f"FAIL {cc} {std}: {call} may be ignored\n{result.stderr}")
                good = False
        failed, ran = failed + (not good), ran + 1
        print(f"{'ok  ' if good else 'FAIL'} initialisers and results as {std}")
    return failed, ran


def main():
    args = arguments()
    examples = extract(args.header)
    if len(examples) != 1:
        raise SystemExit(f"{args.header}: {len(examples)} programs, not one")
    lines = max(code.count("\n") for code in examples.values())
    if lines > LINES_MAX:
        raise SystemExit(f"{args.header}: a program of {lines} lines is for examples/")
    failed = 0
    for name, code in examples.items():
        with tempfile.TemporaryDirectory(prefix="peat-example-") as directory:
            good = try_example(args, name, code, directory)
            failed += not good
            print(f"{'ok  ' if good else 'FAIL'} {name}")
    with tempfile.TemporaryDirectory(prefix="peat-example-") as directory:
        wrong, ran = try_languages(args, directory)
    print(f"{len(examples) + ran - failed - wrong} passed, {failed + wrong} failed")
    failed += wrong
    return 1 if failed else 0


sys.exit(main())
