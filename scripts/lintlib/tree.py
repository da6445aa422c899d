# SPDX-License-Identifier: MIT
"""The files a check looks at, and C text without its comments and strings."""
import os
import re
import shutil
import subprocess
from functools import lru_cache

C_SUFFIXES = (".c", ".h", ".cc", ".cpp", ".hpp")
TEXT_SUFFIXES = C_SUFFIXES + (".md", ".py", ".sh", ".txt", ".cmake", ".in", ".bash", ".yml")
TEXT_NAMES = ("Makefile", "LICENSE", ".clang-format", ".gitignore", "run")

_NOISE = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


def _blank(match):
    """Same length and same line breaks, so that offsets and line numbers stay true."""
    return re.sub(r"[^\n]", " ", match.group(0))


def without_noise(text):
    """C text with comments and string contents blanked out."""
    return _NOISE.sub(_blank, text)


class Problem:
    """One finding: where it is, what is wrong, what to do."""

    def __init__(self, path, line, wrong, todo):
        self.path, self.line, self.wrong, self.todo = path, line, wrong, todo

    def __str__(self):
        return f"{self.path}:{self.line}: {self.wrong}; {self.todo}"


class Tree:
    """The checkout under root; paths are relative to it. build is a finished build or None."""

    def __init__(self, root, build=None):
        self.root = os.path.abspath(root)
        self.build = build
        self.paths = sorted(self._list())

    def _list(self):
        # Only with a .git of its own: in a copy inside a checkout git answers for that checkout.
        own = os.path.exists(os.path.join(self.root, ".git")) and shutil.which("git")
        git = own and subprocess.run(
            ["git", "-C", self.root, "ls-files", "-co", "--exclude-standard", "-z"],
            capture_output=True, text=True)
        if git and git.returncode == 0:
            found = [p for p in git.stdout.split("\0") if p]
        else:  # a source archive, or no git here
            found = [os.path.relpath(os.path.join(folder, name), self.root)
                     for folder, _, names in os.walk(self.root) for name in names]
        return [p for p in found if os.path.isfile(os.path.join(self.root, p))
                and not p.startswith(("build", ".git/", "demo-data/"))]

    def full(self, path):
        return os.path.join(self.root, path)

    @lru_cache(maxsize=None)
    def text(self, path):
        with open(self.full(path), encoding="utf-8", errors="replace") as f:
            return f.read()

    @lru_cache(maxsize=None)
    def code(self, path):
        return without_noise(self.text(path))

    def c_files(self, *folders):
        """C and C++ files, in the named top folders only when given."""
        return [p for p in self.paths if p.endswith(C_SUFFIXES)
                and (not folders or p.split("/")[0] in folders)]

    def text_files(self):
        return [p for p in self.paths
                if p.endswith(TEXT_SUFFIXES) or os.path.basename(p) in TEXT_NAMES]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def functions(code):
    """(name, first line, length in lines) of each function; relies on the house format, in which
    only a function body opens and closes with a brace in column 0."""
    lines = code.split("\n")
    found = []
    for i, line in enumerate(lines):
        if line.rstrip() != "{":
            continue
        start = i
        while start > 0 and lines[start - 1].strip() and lines[start - 1][0] not in "}#":
            start -= 1
        end = next((j for j in range(i, len(lines)) if lines[j].startswith("}")), len(lines) - 1)
        head = " ".join(lines[start:i])
        name = re.search(r"(\w+)\s*\(", head)
        found.append((name.group(1) if name else "?", start + 1, end - start + 1))
    return found
