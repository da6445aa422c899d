#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the system calls of each workload, by name, and prints them for a thousand operations.

Usage: syscalls.py DIR [BUILD [writing | reading]]    DIR: where stores are made; BUILD: a finished Release build
                                                      (default build). RECORDS=1000000

`perf stat` counts them in the kernel (root), which does not slow the program down as strace does. Each
workload runs twice, in two lengths or once more, and the difference is divided by its operations, so
that opening, filling and closing do not count, nor what the benchmark asks about each workload. Calls
that follow the clock (syncs every 100 ms, waits) are more per operation on a slower machine. What is
called less than once in 100,000 operations is "others".
"""
import os
import re
import subprocess
import sys

PERF = ("perf", "stat", "-x", ",", "-e", "syscalls:sys_enter_*")
RECORDS = int(os.environ.get("RECORDS", "1000000"))


def counts(*command):
    """name -> how often `command` and its threads called it"""
    done = subprocess.run(PERF + command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"syscalls: {' '.join(command)}: status {done.returncode}\n{done.stderr}")
    rows = re.findall(r"^(\d+),[^,]*,syscalls:sys_enter_(\w+),", done.stderr, re.M)
    return {name: int(n) for n, name in rows if n != "0"}


def difference(less, more):
    return {name: more.get(name, 0) - less.get(name, 0) for name in less.keys() | more.keys()}


def show(row, found, ops):
    unit = 1000 / ops if ops > 100 else 1 / ops
    calls = sorted(((n * unit, name) for name, n in found.items() if n > 0), reverse=True)
    told = [f"`{name}` {n:.3g}" for n, name in calls if n >= 0.01]
    others = sum(n for n, _ in calls if n < 0.01)
    print(f"| {row} | {ops:,} | {sum(n for n, _ in calls):.3g} | " +
          ", ".join(told + ([f"others {others:.2g}"] if others else [])) + " |", flush=True)


class Bench:
    def __init__(self, build, folder):
        self.program, self.folder = os.path.join(build, "bench", "peat-bench"), folder

    def run(self, workloads, *options):
        return counts(self.program, "--dir", self.folder, "--no-latency", "--workloads", workloads, *options)

    def fresh(self, row, before, after, ops, *options):
        show(row, difference(self.run(*before, "--no-settle", *options), self.run(*after, "--no-settle", *options)), ops)

    def there(self, row, before, after, ops, *options):
        options = ("--use-existing", "--records", str(RECORDS), *options)
        found = difference(self.run(*before, *options), self.run(*after, *options))
        if before[0] != after[0]:  # what one workload more costs even if it does nothing
            empty = (*options, "--reads", "1")
            found = difference(difference(self.run(*before, *empty), self.run(*after, *empty)), found)
        show(row, found, ops)


def writing(b):
    one, two = ("--records", str(RECORDS)), ("--records", str(2 * RECORDS))
    for name in ("fillseq", "fillrandom"):
        b.fresh(name, (name, *one), (name, *two), RECORDS)
    b.fresh("overwrite", ("fillrandom", *one), ("fillrandom,overwrite", *one), RECORDS)
    b.fresh("fillbatch100", ("fillbatch100", *one), ("fillbatch100", *two), RECORDS)
    b.fresh("fillsync", ("fillsync", "--sync-ops", "1000"), ("fillsync", "--sync-ops", "3000"), 2000)
    b.fresh("queueput", ("queueput", *one), ("queueput", *two), RECORDS)


def reading(b):
    warm, few = 5 * RECORDS, RECORDS // 5
    b.run("fillrandom", "--records", str(RECORDS), "--keep")
    for name in ("readrandom", "readmissing", "readmany100", "queueget64", "seekrandom10"):
        b.there(name, (f"readrandom,{name}",), (f"readrandom,{name},{name}",), warm, "--reads", str(warm))
        if name != "readmissing":
            b.there(f"{name}, just opened", (name, "--reads", "1"), (name, "--reads", str(few + 1)), few)
            b.there(f"{name}, 16 MiB of memory", (name, "--reads", "1"), (name, "--reads", str(few + 1)), few, "--memory", "16")
    b.run("fillrandom", "--records", str(2 * RECORDS), "--keep")
    twice = ("--use-existing", "--records", str(2 * RECORDS))
    show("readseq", difference(b.run("readseq,readseq", *twice), b.run("readseq,readseq,readseq", *twice)), 2 * RECORDS)
    show("close, open, a get", difference(b.run("reopen", *twice), b.run("reopen,reopen", *twice)), 5)


def main():
    folders = sys.argv[1:]
    parts = {"writing": writing, "reading": reading}
    if not 1 <= len(folders) <= 3 or folders[0].startswith("-") or (len(folders) == 3 and folders[2] not in parts):
        sys.exit(__doc__)
    b = Bench(folders[1] if len(folders) > 1 else "build", folders[0])
    print("| workload | operations | calls in a thousand | of which |\n|---|---:|---:|---|")
    for name, part in parts.items():
        if len(folders) < 3 or folders[2] == name:
            part(b)


if __name__ == "__main__":
    main()
