# SPDX-License-Identifier: MIT
"""The programs of examples/ are C99, C11, C23 and C++ without a warning, each is told of where users
look, the documents' code is theirs, and the script that runs them finds what is wrong.

ctest: timeout=120
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run_example  # noqa: E402
from toolchain import CC, FLAGS, ROOT, languages  # noqa: E402

FOLDER = os.path.join(ROOT, "examples")
PROGRAMS = sorted(name for name in os.listdir(FOLDER) if name.endswith(".c"))
NEED = {"queue_libuv.c": "uv.h"}  # a header that may be missing, then CMake says so
DOCUMENTS = ("doc/keys.md", "doc/environment.md")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def snippets(header):
    """The pieces of code in a header's comments: indented lines one of which ends in a semicolon. The
    program of the first page is another test's."""
    text = re.sub(r"^ \* @example.*?^ \* @end\n", "", header, flags=re.M | re.S)
    blocks = re.findall(r"^ \*\n((?: \*     .*\n)+) \*(?:\n|/)", text, re.M)
    return [block.replace(" *     ", "") for block in blocks if re.search(r";$", block, re.M)]


def plain(text):
    """Lines without indentation and without the empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def is_piece(code, text):
    """The lines of the code stand in the text one after the other."""
    lines, all_lines = plain(code), plain(text)
    return any(all_lines[i:i + len(lines)] == lines for i in range(len(all_lines)))


def is_there(cc, header):
    done = subprocess.run([cc, "-E", "-xc", "-"], input=f"#include <{header}>\n", capture_output=True, text=True, timeout=60)
    return done.returncode == 0


class Examples(unittest.TestCase):
    def test_each_is_clean_in_every_language(self):
        programs = [name for name in PROGRAMS if name not in NEED or is_there(CC, NEED[name])]
        for cc, std, warnings, language in languages(CC):
            for name in programs:
                with self.subTest(standard=std, program=name):
                    command = [cc, "-std=" + std, *warnings, *shlex.split(FLAGS), "-x", language, "-fsyntax-only",
                               "-I" + os.path.join(ROOT, "include"), os.path.join(FOLDER, name)]
                    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
                    self.assertEqual(done.returncode, 0, done.stderr)

    def test_each_is_told_of(self):
        for place in ("include/peat.h", "README.md"):
            self.assertEqual(sorted(set(re.findall(r"examples/(\w+\.c)", read(place)))), PROGRAMS, place)

    def test_code_in_documents_is_a_piece_of_one(self):
        programs = [read("examples/" + name) for name in PROGRAMS]
        for document in DOCUMENTS:
            blocks = re.findall(r"^```c\n(.*?)^```", read(document), re.M | re.S)
            self.assertNotEqual(blocks, [], document)
            for block in blocks:
                self.assertTrue(any(is_piece(block, text) for text in programs), f"{document}:\n{block}")
        found = [code for name in ("peat.h", "peat_admin.h", "peat_env.h") for code in snippets(read("include/" + name))]
        self.assertGreaterEqual(len(found), 2)
        for code in found:
            self.assertTrue(any(is_piece(code, text) for text in programs), code)
        self.assertFalse(is_piece("a;\nc;\n", "a;\nb;\nc;\n"))

    def test_runner_finds_what_is_wrong(self):
        with tempfile.TemporaryDirectory(prefix="peat-example-") as folder:
            source, program = os.path.join(folder, "x.c"), os.path.join(folder, "x")

            def problem(script, head="/* x\n *\n * It prints\n *\n *     one\n *     two\n */\n"):
                for path, text in ((source, head), (program, "#!/bin/sh\n" + script)):
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(text)
                os.chmod(program, 0o755)
                return run_example.problem(source, program)

            self.assertIsNone(problem("echo one; echo two\n"))
            self.assertIn("prints", problem("echo one\n"))
            self.assertIn("prints", problem("echo one; echo two; echo three >&2\n"))
            self.assertIn("ends with 3", problem("echo one; echo two; exit 3\n"))
            self.assertIn("leaves store", problem("echo one; echo two; mkdir store\n"))
            self.assertIn("head comment", problem("echo one\n", "/* x\n */\n"))


if __name__ == "__main__":
    unittest.main(buffer=True)
