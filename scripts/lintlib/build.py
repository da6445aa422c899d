# SPDX-License-Identifier: MIT
"""Checks that need a compiler or a finished build: headers, symbols, globals, man pages."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from .tree import Problem

# Where a declaration of peat.h begins: its mark, or the attribute the mark stands for.
_EXPORTED = re.compile(r"(?:\bPEAT_API\b(?!\s*__|\s*\n?\s*#)|__attribute__\(\(visibility\([^)]*\)\)\)\n#endif)"
                       r"[^;{]*?\b(peat_\w+)\s*\(")
_WARNINGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-pedantic"]


def _run(command, text=""):
    return subprocess.run(command, input=text, capture_output=True, text=True)


def check_headers(tree):
    """public headers compile alone as C99 and C++, internal ones as C11, each also twice"""
    jobs = []
    for path in tree.c_files("include"):
        jobs.append((path, ["cc", "-std=c99", "-x", "c"] + _WARNINGS))
        jobs.append((path, ["c++", "-std=c++11", "-x", "c++"] + _WARNINGS))
    for path in tree.c_files("src"):
        if path.endswith(".h") and not path.endswith("poison.h"):
            jobs.append((path, ["cc", "-std=c11", "-D_GNU_SOURCE", "-x", "c", "-Isrc"]
                         + [w for w in _WARNINGS if w != "-pedantic"]))

    def compile_alone(job):
        path, command = job
        name = path.split("/", 1)[1]
        result = subprocess.run(
            command + ["-Iinclude", "-"], cwd=tree.root, capture_output=True, text=True,
            input=f'#include "{name}"\n#include "{name}"\nextern int pt_not_empty;\n')
        if result.returncode == 0:
            return None
        first = next((row for row in result.stderr.splitlines() if "error" in row), result.stderr)
        return Problem(path, 1, f"does not compile alone ({command[0]} {command[1]}): {first}",
                       "include what it uses")

    with ThreadPoolExecutor(2) as pool:
        return [p for p in pool.map(compile_alone, jobs) if p]


def _need(tree, path, purpose):
    found = tree.build and os.path.exists(os.path.join(tree.build, path))
    return [] if found else [Problem(tree.build or "build", 0, f"no {path} to look at for {purpose}",
                                     "run make first")]


def check_symbols(tree):
    """the shared library exports what the public headers declare, and nothing else"""
    missing = _need(tree, "libpeat.so", "exported symbols")
    if missing:
        return missing
    library = os.path.join(tree.build, "libpeat.so")
    exported = {row.split()[-1].split("@")[0]
                for row in _run(["nm", "-D", "--defined-only", library]).stdout.splitlines()}
    declared = {}
    for path in tree.c_files("include"):
        code = tree.code(path)
        for m in _EXPORTED.finditer(code):
            declared[m.group(1)] = (path, code.count("\n", 0, m.start(1)) + 1)
    problems = [Problem("libpeat.so", 0, f"exports {name}", "hide it or declare it in peat.h")
                for name in sorted(exported - set(declared))]
    for name in sorted(set(declared) - exported):
        problems.append(Problem(*declared[name], f"{name} is declared but not in the library",
                                "define it with PEAT_API visible, or remove it"))
    return problems


def library_bytes(tree):
    """Of the stripped shared library; None: there is no build."""
    library = os.path.join(tree.build or "", "libpeat.so")
    if not os.path.exists(library):
        return None
    with tempfile.NamedTemporaryFile() as out:
        _run(["strip", "-o", out.name, library])
        return os.path.getsize(out.name)


def check_globals(tree):
    """libpeat holds no writable data of static storage"""
    objects = glob.glob(os.path.join(tree.build or "", "CMakeFiles/peat_objects.dir/**/*.o"),
                        recursive=True)
    live = [o for o in objects
            if os.path.exists(tree.full(o.split("peat_objects.dir/")[1][:-len(".o")]))]
    if not live:
        return _need(tree, "CMakeFiles/peat_objects.dir", "globals") or \
            [Problem("build", 0, "no objects to look at for globals", "run make first")]
    problems, current = [], ""
    for row in _run(["objdump", "-t"] + live).stdout.splitlines():
        if ": " in row and "file format" in row:
            current = row.split("peat_objects.dir/")[1].split(".o:")[0]
            continue
        m = re.match(r"[0-9a-f]+ .{7} (\.t?data|\.t?bss|\*COM\*)(\S*)\t[0-9a-f]+ (?:\.hidden )?(\S+)$",
                     row)
        # Constant tables of pointers are relocated once, then read-only.
        if m and not m.group(2).startswith(".rel.ro") and m.group(3) != m.group(1) + m.group(2):
            problems.append(Problem(current, 0, f"global variable {m.group(3)} in {m.group(1)}",
                                    "make it const, or a field of the struct that owns it"))
    return problems


def check_man(tree):
    """generated man pages render without a warning"""
    if not any(p.startswith("tools/peat/") and p.endswith(".c") for p in tree.paths):
        return []
    pages = sorted(glob.glob(os.path.join(tree.build or "", "man", "*.1")))
    if not pages:
        return [Problem("tools/peat", 0, "no man pages in the build", "run make first")]
    if not shutil.which("groff"):
        return [Problem("tools/peat", 0, "groff is not installed",
                        "run scripts/install-deps.sh lint")]
    problems = []
    for page in pages:
        output = _run(["groff", "-man", "-Tutf8", "-ww", "-z", page]).stderr
        for row in output.splitlines():
            problems.append(Problem(os.path.basename(page), 0, row, "correct the generator"))
        with open(page, encoding="utf-8") as f:
            for section in ("NAME", "SYNOPSIS"):
                if not re.search(rf'^\.SH "?{section}"?$', f.read(), re.M):
                    problems.append(Problem(os.path.basename(page), 0, f"no section {section}",
                                            "correct the generator"))
                f.seek(0)
    return problems


CHECKS = [check_headers, check_symbols, check_globals, check_man]
