#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the instructions of single operations (callgrind) and compares them with counts.tsv.

Usage: counts.py [--write | --show | --cache[=RECORDS]] [BUILD]       BUILD: a finished Release build (default build)

counts.c says what the operations do; the instructions of the library and of libc are counted, not
the kernel's. An operation that needs more than 3 % more than counts.tsv says fails: --write records
what was counted, and the commit says why. Another compiler or libc makes other instructions: then
nothing is compared, and a line says so. --show compares nothing. --cache shows lines and branches
as well, in a store of RECORDS (default 20,000): lines that miss the caches of CACHES, which begin warm
and know of no prefetch, so that a line that was asked for in time counts too.
The last line is "N passed, N failed" in operations.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURES = os.path.join(HERE, "counts.tsv")
TOLERANCE = 0.03
# A first cache and a last one, in bytes, ways and bytes a line.
CACHES = ("--cache-sim=yes", "--branch-sim=yes", "--I1=32768,8,64", "--D1=49152,12,64", "--LL=33554432,16,64")
# libc chooses its memcpy and memcmp by what the processor has: these every x86-64 has.
PLAIN_LIBC = "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-SSE4_2,-SSE4_1,-SSSE3,-BMI2"


def give_up(why):
    print(f"counts: {why}")
    sys.exit(2)


def run(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, **options)
    if done.returncode != 0:
        give_up(f"{command[0]}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def cached(build, name):
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as f:
        found = re.search(rf"^{name}:\w+=(.*)$", f.read(), re.M)
    return found.group(1) if found else ""


def made_by(compiler):
    """What the instructions hang on, besides the source."""
    version = re.sub(r"^\S+ (?=\()", "gcc ", run(compiler, "--version").splitlines()[0])  # cc is gcc
    return ", ".join((version, os.confstr("CS_GNU_LIBC_VERSION"), os.uname().machine))


def build_program(build, compiler, folder, *defines):
    source = os.path.dirname(HERE)
    with open(os.path.join(build, "peat.pc"), encoding="utf-8") as f:
        libraries = re.search(r"^Libs.private: (.*)$", f.read(), re.M).group(1).split()
    program = os.path.join(folder, "counts")
    run(compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", *defines, "-I" + os.path.join(source, "include"),
        os.path.join(HERE, "counts.c"), os.path.join(build, "libpeat.a"), *libraries, "-o", program)
    return program


def totals(folder):
    """What was counted before each mark, in order, by event; what comes after the last one is left out."""
    files = sorted(glob.glob(os.path.join(folder, "out.*")), key=lambda name: int(name.rsplit(".", 1)[1]))
    found = []
    for name in files:
        with open(name, encoding="utf-8") as f:
            text = f.read()
        if "Trigger: --dump-before=counts_mark" in text:
            events, figures = (re.search(rf"^{word}: (.*)$", text, re.M).group(1).split() for word in ("events", "totals"))
            found.append({event: int(figure) for event, figure in zip(events, figures)})
    return found


def count(build, compiler, options=(), defines=()):
    """Of one operation, by its name: what callgrind counted, by event."""
    with tempfile.TemporaryDirectory() as folder:
        program = build_program(build, compiler, folder, *defines)
        pieces = [line.split("\t") for line in run(program, "--list").splitlines()]
        run("valgrind", "--tool=callgrind", *options, "--dump-before=counts_mark",
            "--callgrind-out-file=" + os.path.join(folder, "out"), program, os.path.join(folder, "store"),
            env={"PATH": os.environ["PATH"], "GLIBC_TUNABLES": PLAIN_LIBC})
        found = totals(folder)
    if len(found) != 3 * len(pieces):
        give_up(f"{len(found)} marks for {len(pieces)} operations")
    return {name: {event: (figure - found[3 * i + 1][event]) / int(n) for event, figure in found[3 * i + 2].items()}
            for i, (name, n) in enumerate(pieces)}


def show_cache(counted):
    print(f"{'operation':18} instructions    loads   stores first missed  last missed  branches  mispredicted")
    for name, e in counted.items():
        print(f"{name:18} {e['Ir']:12.1f} {e['Dr']:8.1f} {e['Dw']:8.1f} {e['D1mr'] + e['D1mw']:12.2f} "
              f"{e['DLmr'] + e['DLmw']:12.2f} {e['Bc'] + e['Bi']:9.1f} {e['Bcm'] + e['Bim']:13.2f}")


def read_figures():
    with open(FIGURES, encoding="utf-8") as f:
        lines = f.read().splitlines()
    rows = dict(line.split("\t") for line in lines if not line.startswith("#") and line != "operation\tinstructions")
    return lines[0].removeprefix("# "), {name: float(figure) for name, figure in rows.items()}


def write_figures(by, counted):
    with open(FIGURES, "w", encoding="utf-8") as f:
        f.write(f"# {by}\noperation\tinstructions\n")
        f.writelines(f"{name}\t{figure:.1f}\n" for name, figure in counted.items())


def compare(counted, recorded):
    failed = 0
    for name, figure in counted.items():
        before = recorded.get(name)
        more = figure / before - 1 if before else 1
        wrong = more > TOLERANCE
        failed += wrong
        print(f"{'FAILED' if wrong else 'ok    '} {name:18} {figure:9.1f} instructions, " +
              (f"{before:9.1f} recorded, {100 * more:+.1f} %" if before else "none recorded") +
              ("; record the gain: counts.py --write" if more < -TOLERANCE else ""))
    for name in recorded.keys() - counted.keys():
        failed += 1
        print(f"FAILED {name}: recorded, and not counted")
    print(f"{len(counted) + len(recorded.keys() - counted.keys()) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    options = [a for a in sys.argv[1:] if a.startswith("-")]
    folders = [a for a in sys.argv[1:] if not a.startswith("-")] or ["build"]
    if len(folders) > 1 or [o for o in options if not re.fullmatch(r"--write|--show|--cache(=\d+)?", o)]:
        sys.exit(__doc__)
    build = folders[0]
    if cached(build, "CMAKE_BUILD_TYPE") != "Release" or cached(build, "PEAT_SANITIZE"):
        give_up(f"{build} is no Release build without a sanitizer")
    compiler = cached(build, "CMAKE_C_COMPILER")
    for option in options:
        if option.startswith("--cache"):
            records = option.partition("=")[2]
            show_cache(count(build, compiler, CACHES, (f"-DRECORDS={records}u",) if records else ()))
            return 0
    by = made_by(compiler)
    if not options:
        recorded_by, recorded = read_figures()
        if by != recorded_by:
            print(f"nothing compared: the figures are of {recorded_by}, and this is {by}\n0 passed, 0 failed")
            return 0
    counted = {name: events["Ir"] for name, events in count(build, compiler).items()}
    if "--write" in options:
        write_figures(by, counted)
    elif "--show" not in options:
        return compare(counted, recorded)
    for name, figure in counted.items():
        print(f"{name:18} {figure:9.1f}")
    return 0


sys.exit(main())
