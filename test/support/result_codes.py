#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes down for result_codes.c what the public headers say of their calls: one line CALL(name,
(parameters), (arguments), codes, what is done besides) for each that returns peat_rc, and one line
COMPLETION(kind, codes) for each kind of operation of a queue; and prints the names.

Usage: result_codes.py OUTPUT HEADER ...
"""
import os
import re
import sys

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
from lintlib import header  # noqa: E402

_COMMA = re.compile(r",(?![^()]*\))")  # between parameters, not between those of a function's pointer


def argument(parameter):
    """The name in a parameter's declaration."""
    pointer = re.search(r"\(\*(\w+)\)", parameter)
    return pointer.group(1) if pointer else re.search(r"(\w+)$", parameter.strip()).group(1)


def bits(codes):
    return " | ".join(f"BIT({name})" for name in codes or []) or "0"


def line(call):
    arguments = ", ".join(argument(p) for p in _COMMA.split(call.parameters))
    codes = "ANY" if call.foreign else bits(call.codes)
    besides = "judge_completions(rc, ret_done, ret_n)" if "peat_completion *ret_done" in call.parameters else "(void)0"
    return f"CALL({call.name}, ({call.parameters}), ({arguments}), {codes}, {besides})\n"


def completions(calls):
    """A line for each kind; what goes on with an operation is of the kind of what began it."""
    kinds = {}
    for call in calls:
        if call.completions is not None:
            kind = call.name.upper().removesuffix("_NEXT")
            assert kinds.setdefault(kind, call.completions) == call.completions, call.name
    return [f"COMPLETION({kind}, {bits(codes)})\n" for kind, codes in kinds.items()]


def main():
    texts = []
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as f:
            texts.append(f.read())
    known = {name for text in texts for name in header.codes(text)}
    calls = [call for text in texts for call in header.calls(text, known)]
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        f.writelines([line(call) for call in calls] + completions(calls))
    print("\n".join(call.name for call in calls))
    return 0


sys.exit(main())
