# SPDX-License-Identifier: MIT
"""What the public headers say of their calls: declarations, and the result codes in their comments.

The comment of a call that returns peat_rc, or of several, ends in a paragraph that begins a line
with "Returns" or "Return" and names every code. "the result of fn" and "the rc that it fills" there
stand for codes that are not the call's own. Of an operation of a queue, the paragraph before, which
begins with "It completes with" or "They complete with", names the codes of its completion.
"""
import re
from typing import NamedTuple

_LIST = re.compile(r"^#define PEAT_RC_LIST\(X\).*\n((?:    X\(.*\n)+)", re.M)
_COMMENTED = re.compile(r"^/\*((?:(?!\*/)[\s\S])*)\*/\n((?:[^\n]+\n)+)", re.M)
_CALL = re.compile(r"\bPEAT_API\s+peat_rc\s+(peat_\w+)\s*\(([^;]*)\)\s*;")
_RETURNS = re.compile(r"^(?: \*)? ?Returns? (.*)\Z", re.M | re.S)
_COMPLETES = re.compile(r"^(?: \*)? ?(?:It completes|They complete) with (.*?)(?=^(?: \*)? ?Returns? |\Z)", re.M | re.S)
_NAME = re.compile(r"\bPEAT_[A-Z_]+\b")
_FOREIGN = ("the result of fn", "the rc that it fills")


class Call(NamedTuple):
    name: str
    parameters: str  # as they are declared, in one line
    offset: int      # of its name in the header's text
    codes: list      # None: its comment has no paragraph that begins with Returns
    foreign: bool    # other codes are possible, which are not its own
    others: list     # names in that paragraph that are no codes
    completions: list  # codes of what it began; None: it begins nothing, or its comment does not say


def codes(text):
    """The result codes of a header with PEAT_RC_LIST: name -> number."""
    found = _LIST.search(text)
    return {name: int(number) for name, number in re.findall(r"X\((\w+), (-?\d+),", found.group(1))} if found else {}


def _paragraph(pattern, comment):
    found = pattern.search(comment)
    return re.sub(r"\s*\n \*\s*", " ", found.group(1)) if found else None


def _names(paragraph):
    return list(dict.fromkeys(_NAME.findall(paragraph or "")))


def calls(text, known):
    """The calls of a header that return peat_rc; `known` are the result codes."""
    said = {}
    for comment, declarations in _COMMENTED.findall(text):
        for m in _CALL.finditer(declarations):
            said[m.group(1)] = _paragraph(_RETURNS, comment), _paragraph(_COMPLETES, comment)
    found = []
    for m in _CALL.finditer(text):
        paragraph, completes = said.get(m.group(1), (None, None))
        names = _names(paragraph)
        found.append(Call(m.group(1), " ".join(m.group(2).split()), m.start(1),
                          None if paragraph is None else [name for name in names if name in known],
                          any(words in (paragraph or "") for words in _FOREIGN),
                          [name for name in names if name not in known],
                          None if completes is None else [name for name in _names(completes) if name in known]))
    return found
