# SPDX-License-Identifier: MIT
"""Each public call that returns peat_rc is held to the codes its comment lists, and each operation of a queue
to those of its completion: the list of the test programs (test/support/result_codes.py) has all of them, and
a code that is not listed ends a program."""
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from toolchain import CC, FLAGS, LIB, ROOT  # noqa: E402

HEADERS = [os.path.join(ROOT, "include", name) for name in sorted(os.listdir(os.path.join(ROOT, "include")))]
GET = "Return PEAT_OK, PEAT_NOT_FOUND, PEAT_INVALID (a snapshot"
ABSENT = "They complete with PEAT_OK, PEAT_NOT_FOUND, PEAT_CANCELLED"
QUEUE_PROGRAM = """
#include <peat_queue.h>
int main(void)
{
    peat_db *db = NULL;
    peat_queue *queue = NULL;
    peat_completion done;
    size_t n;
    if (peat_open("store", NULL, &db, NULL) != PEAT_OK || peat_queue_open(db, NULL, &queue) != PEAT_OK ||
        peat_queue_get(queue, NULL, NULL, peat_str("c"), 1) != PEAT_OK ||
        peat_queue_poll(queue, &done, 1, PEAT_QUEUE_WAIT, &n) != PEAT_OK || done.rc != PEAT_NOT_FOUND)
        return 1;
    peat_queue_close(queue);
    return peat_close(db) != PEAT_OK;
}
"""
PROGRAM = """
#include <peat.h>
int main(void)
{
    peat_db *db = NULL;
    peat_buf value = PEAT_BUF_INIT;
    if (peat_open("store", NULL, &db, NULL) != PEAT_OK || peat_put(db, NULL, peat_str("a"), peat_str("b")) != PEAT_OK)
        return 1;
    if (peat_get(db, NULL, peat_str("a"), &value) != PEAT_OK || peat_get(db, NULL, peat_str("c"), &value) != PEAT_NOT_FOUND)
        return 2;
    peat_buf_free(&value);
    return peat_close(db) != PEAT_OK;
}
"""


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


class ResultCodes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="peat-codes-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name

    def run_it(self, *command):
        return subprocess.run(command, cwd=self.dir, capture_output=True, text=True, timeout=60)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            f.write(text)
        return os.path.join(self.dir, name)

    def calls(self, *headers):
        done = self.run_it(sys.executable, "-B", os.path.join(ROOT, "test/support/result_codes.py"),
                           "result_codes_calls.h", *headers)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def program(self, text, header, name="peat.h"):
        """The program with the codes of the header of this name when it has this text."""
        peat_h = os.path.join(ROOT, "include/peat.h")
        written = self.write(name, header)
        names = self.calls(*([] if name == "peat.h" else [peat_h]), written)
        self.write("program.c", text)
        done = self.run_it(CC, "-std=c11", "-D_GNU_SOURCE", *shlex.split(FLAGS), "-I.", "-I" + os.path.join(ROOT, "include"),
                           "-I" + os.path.join(ROOT, "test"), "program.c", os.path.join(ROOT, "test/support/result_codes.c"),
                           "-o", "program", "-L" + LIB, "-Wl,-rpath," + LIB, "-lpeat",
                           *("-Wl,--wrap=" + name for name in names))
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.run_it("./program")

    def test_list_has_every_call(self):
        declared = [name for path in HEADERS
                    for name in re.findall(r"^(?:PEAT_MUST_USE )?PEAT_API peat_rc\s+(peat_\w+)\(", read(path), re.M)]
        self.assertGreater(len(declared), 40)
        self.assertEqual(sorted(self.calls(*HEADERS)), sorted(declared))
        lines = read(os.path.join(self.dir, "result_codes_calls.h")).splitlines()
        for line in lines:
            self.assertTrue("BIT(PEAT_OK)" in line or ", ANY, " in line, line)
        kinds = re.findall(r"^    (PEAT_QUEUE_\w+) = \d,?$", read(os.path.join(ROOT, "include/peat_queue.h")), re.M)
        self.assertEqual(sorted(line[len("COMPLETION("):].split(",")[0] for line in lines if line.startswith("COMPLETION")),
                         sorted(kinds))
        self.assertEqual(len(kinds), 8)

    def test_code_that_is_not_listed_ends_the_program(self):
        header = read(os.path.join(ROOT, "include/peat.h"))
        done = self.program(PROGRAM, header)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(header.count(GET), 1)
        done = self.program(PROGRAM, header.replace(GET, "Return PEAT_OK, PEAT_INVALID (a snapshot"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("peat_get returned PEAT_NOT_FOUND, which its comment in the header does not list", done.stderr)

    def test_completion_that_is_not_listed_ends_the_program(self):
        header = read(os.path.join(ROOT, "include/peat_queue.h"))
        done = self.program(QUEUE_PROGRAM, header, "peat_queue.h")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(header.count(ABSENT), 1)
        done = self.program(QUEUE_PROGRAM, header.replace(ABSENT, "They complete with PEAT_OK, PEAT_CANCELLED"),
                            "peat_queue.h")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("an operation of kind 1 ended with PEAT_NOT_FOUND, which the header does not list", done.stderr)


if __name__ == "__main__":
    unittest.main(buffer=True)
