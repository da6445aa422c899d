# SPDX-License-Identifier: MIT
"""The programs in peat.h's comments compile as C99 without a warning and run to success.

They stand between "@example NAME" and "@end". ctest: timeout=120
"""
import os
import re
import subprocess
import tempfile
import unittest

CC, LIB, SANITIZE = (os.environ[k] for k in ("PEAT_CC", "PEAT_LIB_DIR", "PEAT_SANITIZE"))
INCLUDE = os.environ["PEAT_INCLUDE_DIR"]
FLAGS = {"": [], "address": ["-fsanitize=address,undefined"], "thread": ["-fsanitize=thread"]}


def examples():
    with open(os.path.join(INCLUDE, "peat.h"), encoding="utf-8") as f:
        text = f.read()
    for m in re.finditer(r"^ \* @example (\w+)\n(.*?)^ \* @end$", text, re.M | re.S):
        # A program inside a comment cannot end one of its own comments: they use // there.
        code = re.sub(r"^ \* ?", "", m.group(2), flags=re.M)
        yield m.group(1), re.sub(r"\s*//[^\n\"]*$", "", code, flags=re.M)


class HeaderExamples(unittest.TestCase):
    def test_the_header_has_examples(self):
        self.assertGreaterEqual(len(list(examples())), 3)

    def test_each_compiles_and_runs(self):
        for name, code in examples():
            with self.subTest(name), tempfile.TemporaryDirectory(prefix="peat-example-") as folder:
                source, program = os.path.join(folder, name + ".c"), os.path.join(folder, name)
                with open(source, "w", encoding="utf-8") as f:
                    f.write(code)
                built = subprocess.run(
                    [CC, "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-pedantic", "-Wall", "-Wextra",
                     "-Werror", "-I", INCLUDE, source, "-o", program, "-L", LIB, "-lpeat",
                     "-Wl,-rpath," + LIB] + FLAGS[SANITIZE], capture_output=True, text=True)
                self.assertEqual(built.returncode, 0, built.stderr)
                os.mkdir(os.path.join(folder, "empty"))
                ran = subprocess.run([program], cwd=os.path.join(folder, "empty"), text=True,
                                     capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
                self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)


if __name__ == "__main__":
    unittest.main()
