# SPDX-License-Identifier: MIT
"""peat_key.h serves each C and C++ without a warning that users turn on."""
import os
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from toolchain import CC, FLAGS, LIB, ROOT, languages  # noqa: E402

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
    def run_it(self, command, folder):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")

    def test_header_serves_each_language(self):
        for compiler, standard, warnings, language in languages(CC):
            with self.subTest(standard=standard), tempfile.TemporaryDirectory(prefix="peat-keys-") as folder:
                with open(os.path.join(folder, "all.c"), "w", encoding="utf-8") as f:
                    f.write(ALL)
                self.run_it([compiler, "-std=" + standard, *warnings, "-Wsign-conversion", "-Wundef",
                             *shlex.split(FLAGS), "-I" + os.path.join(ROOT, "include"), "-x", language, "all.c",
                             "-o", "program", "-L" + LIB, "-Wl,-rpath," + LIB, "-lpeat"], folder)
                self.run_it(["./program"], folder)


if __name__ == "__main__":
    unittest.main(buffer=True)
