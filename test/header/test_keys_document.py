# SPDX-License-Identifier: MIT
"""The program of doc/keys.md compiles as C99 and prints what the document says; peat_key.h serves C
and C++ without a warning that users turn on."""
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIB = os.path.abspath(os.environ.get("PEAT_LIB_DIR") or os.path.join(ROOT, "build"))
CC = os.environ.get("PEAT_CC") or "cc"
WARNINGS = "-pedantic -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wundef -Werror"
SANITIZERS = {"address": "-fsanitize=address,undefined -fno-sanitize-recover=all", "thread": "-fsanitize=thread"}
# Uses the whole header, so that nothing of it goes unseen as an unused inline function.
ALL = """
#include <peat_key.h>
int main(void)
{
    unsigned char room[64], text[8];
    peat_key key = peat_key_in(room, sizeof room);
    peat_key_reader reader;
    peat_key_add_bytes(&key, peat_bytes("a\\0", 2));
    peat_key_add_u32(&key, 1);
    peat_key_add_u64(&key, 2);
    peat_key_add_i64(&key, -3);
    peat_key_add_double(&key, -0.5);
    peat_key_add_tail(&key, peat_str("tail"));
    reader = peat_key_read(peat_key_slice(&key));
    if (peat_key_take_bytes(&reader, text, sizeof text) != 2 || peat_key_take_u32(&reader) != 1 ||
        peat_key_take_u64(&reader) != 2 || peat_key_take_i64(&reader) != -3 ||
        peat_key_take_double(&reader) > -0.4 || peat_key_take_tail(&reader).size != 4)
        return 1;
    return !peat_key_done(&reader);
}
"""


class Keys(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="peat-keys-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name

    def build(self, compiler, standard, source, code):
        with open(os.path.join(self.dir, source), "w", encoding="utf-8") as f:
            f.write(code)
        flags = WARNINGS + " " + SANITIZERS.get(os.environ.get("PEAT_SANITIZE"), "")
        self.run_it([compiler, "-std=" + standard, *shlex.split(flags), "-I" + os.path.join(ROOT, "include"),
                     source, "-o", "program", "-L" + LIB, "-Wl,-rpath," + LIB, "-lpeat"])

    def run_it(self, command):
        done = subprocess.run(command, cwd=self.dir, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_program_prints_what_the_text_says(self):
        with open(os.path.join(ROOT, "doc/keys.md"), encoding="utf-8") as f:
            blocks = re.findall(r"^```(\w*)\n(.*?)^```", f.read(), re.M | re.S)
        (program,) = (body for kind, body in blocks if kind == "c")
        (expected,) = (body for kind, body in blocks if kind == "")
        self.build(CC, "c99", "program.c", program)
        for _ in range(2):  # the second time the store is there
            self.assertEqual(self.run_it(["./program"]), expected)

    def test_header_serves_each_language(self):
        languages = [(CC, standard, "all.c") for standard in ("c99", "c11")]
        if shutil.which("c++"):
            languages += [("c++", standard, "all.cc") for standard in ("c++11", "c++17")]
        for compiler, standard, source in languages:
            with self.subTest(standard=standard):
                self.build(compiler, standard, source, ALL)
                self.run_it(["./program"])


if __name__ == "__main__":
    unittest.main(buffer=True)
