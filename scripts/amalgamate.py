#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the whole library as one file: peat.c and the public headers go to OUTDIR.

Build it with: cc -O2 -c peat.c        and link with -llz4 -pthread (-DPT_HAVE_ZSTD=1: also -lzstd,
-DPT_HAVE_URING=1: also -luring)

Only the calls of the public headers are global symbols. A program that includes peat.c in a file of
its own, after #define PEAT_API static __attribute__((unused)), has no global symbol of it at all.
"""
# Headers are put in once, where they are first needed; system includes stay where they are. Names
# of file scope that two .c files share are renamed to FLOOR_FILE_NAME, macros of a .c file are
# undefined at its end. What the library's files share is declared static, and stays so where it is
# defined.
import argparse
import os
import re
import sys

sys.dont_write_bytecode = True
from lintlib.code import FLOOR, PUBLIC_HEADERS  # noqa: E402
from lintlib.tree import Tree, without_noise  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)".*\n', re.M)


def local_names(code):
    """Names of file scope in a .c file that no other file can mean."""
    names = set(re.findall(r"^static\b[^;={}()]*?\b(\w+)\s*\(", code, re.M))
    names |= set(re.findall(r"^static\b[^;(){}=]*?\b(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=|;)", code, re.M))
    names |= set(re.findall(r"^(?:typedef\s+)?(?:struct|union|enum)\s+(\w+)\s*\{", code, re.M))
    names |= set(re.findall(r"^\}\s*(\w+)\s*;", code, re.M))
    names |= set(re.findall(r"^typedef\b[^{;]*?\b(\w+)\s*;", code, re.M))
    names |= set(re.findall(r"^typedef\b[^{;]*?\(\s*\*\s*(\w+)\s*\)", code, re.M))
    for block in re.findall(r"^(?:typedef\s+)?enum\b[^{;]*\{([^}]*)\}", code, re.M):
        names |= set(re.findall(r"(?:^|,)\s*(\w+)", block))
    return names


def struct_bodies(code):
    """The set of offsets inside the braces of structs and unions."""
    inside = set()
    for m in re.finditer(r"\b(?:struct|union)\b\s*\w*\s*\{", code):
        depth, at = 1, m.end()
        while depth and at < len(code):
            depth += {"{": 1, "}": -1}.get(code[at], 0)
            at += 1
        inside.update(range(m.end(), at))
    return inside


def rename(text, code, names, prefix):
    """Renames whole identifiers outside comments, strings and members."""
    out, last, inside = [], 0, struct_bodies(code)
    for m in re.finditer(r"(?<![\w.])[A-Za-z_]\w*", code):
        member = code[max(m.start() - 2, 0):m.start()] == "->" or (
            m.start() in inside and re.match(r"\s*[;,:)\[]", code[m.end():m.end() + 40]))
        if m.group(0) in names and not member:
            out += [text[last:m.start()], prefix + m.group(0)]
            last = m.end()
    return "".join(out) + text[last:]


# What follows is the return type and the name of a function that is only declared here.
SHARED = re.compile(r"^(?!static\b|typedef\b|extern\b)(?=[A-Za-z_][\w \t\n*]*?[\s*]pt_\w+\([^;{}]*;)", re.M)


def declared_static(text, code):
    """A header's text; its functions are static, and need not be used."""
    out, last = [], 0
    for m in SHARED.finditer(code):
        out += [text[last:m.start()], "PT_LOCAL "]
        last = m.start()
    return "".join(out) + text[last:]


def folder_of(path):
    return path.split("/")[1]


def header_clashes(tree):
    """folder -> names its headers declare although a header of a lower floor means another thing."""
    first, clashes = {}, {}
    headers = [p for p in tree.c_files("src") if p.endswith(".h")]
    for path in sorted(headers, key=lambda p: (FLOOR[folder_of(p)], p)):
        code = tree.code(path)
        for name in local_names(code):
            if re.search(rf"typedef (struct|union|enum) {name} {name};", code):
                continue  # only announced here
            if first.setdefault(name, path) != path and folder_of(first[name]) != folder_of(path):
                clashes.setdefault(folder_of(path), set()).add(name)
    return clashes


class Writer:
    def __init__(self, tree):
        self.tree, self.seen = tree, set()
        self.clashes = header_clashes(tree)
        self.sources = sorted((p for p in tree.c_files("src") if p.endswith(".c")),
                              key=lambda p: (FLOOR[p.split("/")[1]], p))
        owners = {}
        for path in self.sources:
            for name in local_names(tree.code(path)):
                owners[name] = owners.get(name, 0) + 1
        self.shared = {name for name, count in owners.items() if count > 1}

    def expand(self, text):
        return INCLUDE.sub(lambda m: self.header(m.group(1)), text)

    def header(self, name):
        if name in self.seen or name in ("peat.h", "peat_admin.h"):
            return ""
        self.seen.add(name)
        path = ("include/" if "/" not in name else "src/") + name
        text = self.text(path)
        return f"\n/* ---- {name} ---- */\n" + self.expand(declared_static(text, without_noise(text)))

    def text(self, path):
        """A file's text with the names renamed that clash with those of a lower floor's header."""
        text, names = self.tree.text(path), self.clashes.get(folder_of(path))
        if not names or not path.startswith("src/"):
            return text
        return rename(text, self.tree.code(path), names, folder_of(path) + "_")

    def source(self, path):
        text = self.text(path)
        code = without_noise(text)
        floor, stem = folder_of(path), os.path.basename(path)[:-2]
        prefix = stem if stem.startswith(floor) else f"{floor}_{stem}"
        text = rename(text, code, self.shared & local_names(code), prefix + "_")
        macros = sorted(set(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", code, re.M)))
        undefs = "".join(f"#undef {name}\n" for name in macros if not name.startswith("XXH"))
        return f"\n/* ==== {path} ==== */\n" + self.expand(text) + undefs

    def whole(self):
        head = ("/* SPDX-License-Identifier: MIT */\n"
                "/* The whole library in one file, generated by scripts/amalgamate.py; the sources\n"
                " * it was made of are the ones to read and to change. */\n"
                "#ifndef _GNU_SOURCE\n#define _GNU_SOURCE\n#endif\n"
                "#define PT_LOCAL static __attribute__((unused))\n#include \"peat.h\"\n")
        return head + "".join(self.source(path) for path in self.sources)


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", metavar="OUTDIR", help="is made when it is not there")
    out, tree = parser.parse_args().outdir, Tree(ROOT)
    headers = [(name, tree.text("include/" + name)) for name in PUBLIC_HEADERS]
    files = [("peat.c", Writer(tree).whole())] + headers
    os.makedirs(out, exist_ok=True)
    for name, text in files:
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            f.write(text)
    return 0


sys.exit(main())
