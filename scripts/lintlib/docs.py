# SPDX-License-Identifier: MIT
"""Checks that read documents: links, anchors, paths of one machine; and the manual in the headers."""
import os
import re

from . import header
from .tree import Problem, line_of

_FENCE_BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
_FENCE = re.compile(r"^```.*?^```|`[^`\n]*`", re.M | re.S)
_LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
# Home and work folders of one machine; /usr, /etc, /tmp, /dev and /proc mean the same everywhere.
_MACHINE = re.compile(r"(?<![\w./-])/(?:work|home|root|Users|mnt|media|srv)/[\w./-]+")
_ABSOLUTE_INCLUDE = re.compile(r"^[ \t]*#\s*include\s*[\"<]/", re.M)


def _anchors(text):
    """Heading anchors as the usual renderers make them."""
    found, seen = set(), {}
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", _FENCE_BLOCK.sub("", text), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.replace("`", "").lower()).strip().replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(slug if count == 0 else f"{slug}-{count}")
    return found | set(re.findall(r"<a\s+(?:name|id)=\"([^\"]+)\"", text))


def check_links(tree):
    """every relative link and anchor in a document leads somewhere"""
    problems = []
    for path in tree.paths:
        if not path.endswith(".md"):
            continue
        text = _FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), tree.text(path))
        for m in _LINK.finditer(text):
            target = m.group(1)
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            file, _, anchor = target.partition("#")
            place = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            line = line_of(text, m.start())
            if file.startswith("/") or place.startswith(".."):
                problems.append(Problem(path, line, f"link {target} leaves the repository",
                                        "use a path relative to the document"))
            elif not os.path.exists(tree.full(place)):
                problems.append(Problem(path, line, f"link {target} leads nowhere",
                                        "correct or remove it"))
            elif anchor and place.endswith(".md") and anchor not in _anchors(tree.text(place)):
                problems.append(Problem(path, line, f"{place} has no heading #{anchor}",
                                        "correct the anchor"))
    return problems


def check_paths(tree):
    """no path of one machine in any file"""
    problems = []
    for path in tree.text_files():
        text = tree.text(path)
        for pattern in (_MACHINE, _ABSOLUTE_INCLUDE):
            for m in pattern.finditer(text):
                problems.append(Problem(path, line_of(text, m.end()),
                                        f"absolute path {m.group(0).strip()}",
                                        "make it relative or a parameter"))
    return problems


INVARIANTS = "doc/invariants.md"
_QUOTED = re.compile(r"\"I(\d+): ")


def check_invariants(tree):
    """doc/invariants.md and src/ quote the same numbers, and the functions it names are there"""
    if INVARIANTS not in tree.paths:
        return []
    problems, quoted, files = [], {}, {}
    for path in tree.c_files("src"):
        files.setdefault(os.path.basename(path), []).append(path)
        for m in _QUOTED.finditer(tree.text(path)):
            quoted.setdefault(int(m.group(1)), (path, line_of(tree.text(path), m.start())))
    text = tree.text(INVARIANTS)
    stated = {int(m.group(1)): line_of(text, m.start()) for m in re.finditer(r"^\*\*I(\d+)\. ", text, re.M)}
    for number in sorted(set(quoted) - set(stated)):
        problems.append(Problem(*quoted[number], f"quotes I{number}, which {INVARIANTS} does not state",
                                "state it there"))
    for number in sorted(set(stated) - set(quoted)):
        problems.append(Problem(INVARIANTS, stated[number], f"no assertion quotes I{number}", "assert it"))
    for m in re.finditer(r"`([\w.]+\.[ch])`:?((?:,?\s+`\w+`)*)", text):
        found = "".join(tree.code(path) for path in files.get(m.group(1), []))
        names = re.findall(r"`(\w+)`", m.group(2)) if text[m.end(1) + 1] == ":" else []
        missing = [m.group(1)] if m.group(1) not in files else \
            [name for name in names if not re.search(rf"\b{name}\(", found)]
        for name in missing:
            problems.append(Problem(INVARIANTS, line_of(text, m.start()), f"{name} is not in src/ as said",
                                    "name who upholds it now"))
    return problems


def check_codes(tree):
    """the comment of each public call ends in the result codes that it returns"""
    paths, problems = tree.c_files("include"), []
    known = {name for path in paths for name in header.codes(tree.text(path))}
    defined = set(re.findall(r"\bPEAT_[A-Z_]+\b", " ".join(tree.code(path) for path in paths)))
    for path in paths:
        for call in header.calls(tree.text(path), known):
            line = line_of(tree.text(path), call.offset)
            if call.codes is None or "PEAT_OK" not in call.codes:
                problems.append(Problem(path, line, f"{call.name} does not say which codes it returns",
                                        "end its comment in a paragraph that begins with Returns, PEAT_OK included"))
            problems += [Problem(path, line, f"{call.name} returns {name}, which is no result code",
                                 "correct the name") for name in call.others if name not in defined]
    return problems


CHECKS = [check_links, check_paths, check_invariants, check_codes]
