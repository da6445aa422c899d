# SPDX-License-Identifier: MIT
"""Checks on the shape of src/: circles among its files, and whose name a name carries."""
import re
from collections import deque

from .code import FRIENDS, includes
from .tree import Problem, functions, line_of

# Folders that the two checks leave out until they are mended; the lint prints them.
UNMENDED = ()

# The header that stands for its whole folder and is implemented by several of its files: it is
# no half of a file. Elsewhere that is the header of the folder's name.
ROOM_HEADER = {"mem": "memtable"}

# What a name may begin with besides pt_, its header's name and its folder's: a folder's own noun,
# and for a header the nouns that are not its name. On floors 0 and 1 these are the words that all
# floors above speak.
ROOM_NOUNS = {"mem": "memtable"}
NOUNS = {
    "base/base.h": "slice lower_tighter upper_tighter min max round assert here digits dcheck container "
                   "count_of likely unlikely prefetch try",
    "base/coding.h": "cursor get put key_head varint stored_number",
    "base/epoch.h": "retired",
    "base/fail.h": "sink spot thread_error fd_reclaim",
    "base/hash.h": "checksum mix",
    "base/sync.h": "mutex cond spin thread",
    "env/env.h": "alloc resize free grow scratch unneeded needed memory_limit bytes dir file",
    "env/env_posix_parts.h": "posix",
    "env/fd_reclaim.h": "dir_list file_open out_of_files",
    "entry/batch.h": "op",
    "entry/block_source.h": "block_ref block_peek fetch frame_unit",
    "entry/entry.h": "kind kinds resolution keyspace key_bytes seq",
    "entry/iter.h": "slice_copy",
    "mem/arena.h": "tree leaf inner record later",
    "mem/tree.h": "node leaf inner ref place head key_at load32 load64 store32 store64",
    "mem/versions.h": "later",
    "table/block_build.h": "block",
    "table/codec.h": "coder",
    "table/layout_hint.h": "layout",
    "table/table.h": "codec run_kind section find stream",
    "table/table_internal.h": "section",
    "version/edit.h": "state layer log_end",
    "version/manifest_file.h": "manifest",
    "version/open_tables.h": "table_ref",
    "version/partition.h": "layer",
    "version/superblock.h": "format_version format_first",
    "version/version_find.h": "lookup",
    "compact/merge_pick.h": "merge",
    "compact/output.h": "piece",
    "compact/pick.h": "unit",
    "queue/queue_state.h": "queues",
    "state/empty_ranges.h": "empty_range",
    "state/snapshot_list.h": "snapshot snapshots",
    "state/snapshot.h": "snapshot",
    "state/view.h": "mem",
    "read/scan_state.h": "scan hidden",
    "work/work.h": "quiet",
    "repair/stored_size.h": "salvage",
    "repair/table_salvage.h": "salvage",
}


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


def _top_level(code):
    """Code without what stands in braces, and without preprocessor lines."""
    code = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code,
                  flags=re.M)
    out, depth = [], 0
    for c in code:
        depth -= c == "}"
        out.append(c if depth == 0 or c == "\n" else " ")
        depth += c == "{"
    return "".join(out)


_NAMES = (
    re.compile(r"\b(\w+)\s*\((?!\s*\*)(?=[^;{]*\)[\w\s(,)]*(?:;|\{))"),  # a function
    re.compile(r"\btypedef\b[^;(]*?\b(\w+)\s*(?:\[[^\]]*\])?\s*;"),
    re.compile(r"\btypedef\b[^;]*?\(\s*\*\s*(\w+)\s*\)"),
    re.compile(r"\b(?:struct|union|enum)\s+(\w+)\s*\{"),
)
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.M)
_NO_NAME = re.compile(r"peat_\w+|__attribute__|_Static_assert|sizeof|PT_MUST_USE|PT_PRINTF")


def _exported(tree, path):
    """(line, name) of the functions, types and macros of a header."""
    code = tree.code(path)
    flat = _top_level(code)
    found = {}
    for pattern in _NAMES:
        for m in pattern.finditer(flat):
            found.setdefault(m.group(1), line_of(flat, m.start(1)))
    for m in _MACRO.finditer(code):
        if not m.group(1).endswith("_H"):
            found.setdefault(m.group(1), line_of(code, m.start(1)))
    return [(line, name) for name, line in found.items() if not _NO_NAME.fullmatch(name)]


def _nouns(path):
    folder, name = _folder(path), path.rsplit("/", 1)[1][:-2]
    nouns = {folder, name, name[:-1] if name.endswith("s") else name + "s"}
    return nouns | set((NOUNS.get(path[4:], "") + " " + ROOM_NOUNS.get(folder, "")).split())


def check_prefixes(tree):
    """names in headers of src/ begin with pt_ and their header's or folder's name (NOUNS)"""
    wrong, right = [], set()
    for path in _watched(tree):
        if not path.endswith(".h"):
            continue
        nouns = _nouns(path)
        for line, name in _exported(tree, path):
            bare = name.lower()
            bare = bare[3:] if bare.startswith("pt_") else bare
            parts = bare.split("_")
            if any("_".join(parts[:i]) in nouns for i in range(1, len(parts) + 1)) and (
                    name[:3].lower() == "pt_" or bare in nouns):
                right.add(name)
            else:
                wrong.append((path, line, name))
    # A type that another header only mentions is named where it is at home.
    return [Problem(path, line, f"{name} carries neither its header's nor its folder's name",
                    "rename it, or give its noun to NOUNS in scripts/lintlib/shape.py")
            for path, line, name in wrong if name not in right]


check_prefixes.unmended = UNMENDED

CHECKS = [check_circles, check_prefixes]
