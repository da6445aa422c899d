#!/bin/bash
# SPDX-License-Identifier: MIT
# Input without an end, through every reader of the command: each ends by itself, with the exit code
# for bad input, and takes no more memory than the largest record it may be (what it touches of it).
# The rest is in cli/test_cli_input.py, with little memory. BOUND is not looked at.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 - "$BUILD/peat" <<'END'
import itertools, os, subprocess, sys
GIB = 1 << 30
cases = (  # what comes first, what comes for ever, the words, MiB at the most, the exit code
    (b"", b"\0", ["load", "s"], 64, 2), (b"", b"y\n", ["load", "-f", "nul", "s"], 64, 2),
    (b"", b"\0", ["load", "-f", "jsonl", "s"], 64, 2), (b"", b" ", ["load", "-f", "jsonl", "s"], 64, 2),
    (b"", b"y\n", ["load", "s"], 64, 2), (b"k\t", b"v", ["load", "s"], 1088, 2),
    (b"k\0", b"v", ["load", "-f", "nul", "s"], 1088, 2), (b"k\t", b"a", ["load", "-v", "base64", "s"], 1430, 2),
    (b'{"key":"', b"k", ["load", "-f", "jsonl", "s"], 2112, 2),
    (b'{"id":"', b"k", ["load", "-f", "jsonl", "-F", "id", "s"], 1088, 2),
    (b"", b"v", ["put", "-i", "-", "s", "k"], 1088, 2), (b"", b"\0", ["import", "s"], 64, 3))
bad = 0
for head, piece, words, most, code in cases:
    run = subprocess.Popen([sys.argv[1], *words], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    pieces, given = piece * (65536 // len(piece)), 0
    try:
        for part in itertools.chain([head] if head else [], itertools.repeat(pieces)):
            given += os.write(run.stdin.fileno(), part)
            if given > 8 * GIB:
                break
    except BrokenPipeError:
        pass
    run.stdin.close()
    said = run.stderr.read().decode().strip()
    _, status, usage = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    used = usage.ru_maxrss >> 10
    good = run.returncode == code and used <= most and given <= 8 * GIB
    bad += not good
    print(f"{'' if good else 'WRONG '}{' '.join(words)}: {given >> 20} MiB given, {used} MiB in memory; {said}")
print(f"{len(cases)} trials, {bad} violations; inputs without end")
sys.exit(bad != 0)
END
