# SPDX-License-Identifier: MIT
"""Checks on the shape of src/: circles among its files."""
import re
from collections import deque

from .code import FRIENDS, includes
from .tree import Problem, functions, line_of

# Folders that are left out until they are mended; the lint prints them.
UNMENDED = ("db",)

# The header that stands for its whole folder and is implemented by several of its files: it is
# no half of a file. Elsewhere that is the header of the folder's name.
ROOM_HEADER = {"mem": "memtable"}


def _folder(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def _module(path):
    """X.c and X.h are one; a folder's header is one of its own."""
    stem, suffix = path.rsplit(".", 1)
    folder = _folder(path)
    room = f"src/{folder}/{ROOM_HEADER.get(folder, folder)}"
    return path if suffix == "h" and stem == room else stem


def _watched(tree):
    return [p for p in tree.c_files("src") if _folder(p) not in UNMENDED]


def _bodies(code):
    """Code with all but the bodies of functions blanked out, line by line."""
    lines = code.split("\n")
    kept = [""] * len(lines)
    for _, line, length in functions(code):
        first = next(i for i in range(line - 1, line + length) if lines[i].rstrip() == "{")
        kept[first:line - 1 + length] = lines[first:line - 1 + length]
    return "\n".join(kept)


def _defined(tree, path):
    """Names of the functions of a .c file that others can call."""
    lines = tree.code(path).split("\n")
    for name, line, length in functions(tree.code(path)):
        head = " ".join(lines[line - 1:line - 1 + length]).split("{")[0]
        if not re.search(r"\bstatic\b", head):
            yield name


def _arrows(tree):
    """{module: {module: (path, line, text)}}: one reason for each pair."""
    watched = _watched(tree)
    home = {name: p for p in watched if p.endswith(".c") for name in _defined(tree, p)}
    known = set(watched)
    arrows = {_module(p): {} for p in watched}
    for path in watched:
        reasons = []
        code = tree.code(path) if path.endswith(".c") else _bodies(tree.code(path))
        for m in re.finditer(r"(?<![\w.>])[a-z]\w*", code):
            if m.group(0) in home:
                reasons.append((home[m.group(0)], line_of(code, m.start()),
                                f"calls {m.group(0)} ({home[m.group(0)]})"))
        for line, name in includes(tree, path):
            if "src/" + name in known:
                reasons.append(("src/" + name, line, f"includes {name}"))
        for target, line, text in reasons:
            if _module(target) != _module(path):
                arrows[_module(path)].setdefault(_module(target), (path, line, text))
    return arrows


def _shortest_circle(arrows, start):
    """The modules of a shortest way from start back to start, or None."""
    before, queue = {}, deque([start])
    while queue:
        at = queue.popleft()
        for target in arrows[at]:
            if target == start:
                way = [at]
                while way[0] != start:
                    way.insert(0, before[way[0]])
                return way
            if target not in before:
                before[target] = at
                queue.append(target)
    return None


def _circles(arrows):
    """A problem for each circle; one that shares a module with a shorter one is told after that."""
    ways = [way for way in (_shortest_circle(arrows, m) for m in sorted(arrows)) if way]
    problems, seen = [], set()
    for way in sorted(ways, key=len):
        if seen.intersection(way):
            continue
        seen.update(way)
        steps = [arrows[a][b] for a, b in zip(way, way[1:] + way[:1])]
        problems.append(Problem(
            steps[0][0], steps[0][1], "circle: " + ", ".join(f"{p} {text}" for p, _, text in steps),
            "join what is one idea, move a function to where it belongs, or hand it in"))
    return problems


def _folder_arrows(arrows):
    folders = {}
    for targets in arrows.values():
        for target, reason in targets.items():
            own, other = _folder(reason[0]), _folder(target)
            folders.setdefault(own, {}), folders.setdefault(other, {})
            if own != other and (own, other) not in FRIENDS:
                folders[own].setdefault(other, reason)
    return folders


def check_circles(tree):
    """no circle among files or folders of src/ by includes and calls; X.c and X.h are one file"""
    arrows = _arrows(tree)
    return _circles(arrows) or _circles(_folder_arrows(arrows))


check_circles.unmended = UNMENDED

CHECKS = [check_circles]
