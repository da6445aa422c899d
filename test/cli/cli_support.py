# SPDX-License-Identifier: MIT
"""What the tests of the command share: a folder per test, and runs of the binary in it."""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

# PEAT_BIN, or the first argument, names the binary.
PEAT = os.environ.get("PEAT_BIN") or "build/peat"
if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
    PEAT = sys.argv.pop(1)
PEAT = os.path.abspath(PEAT)
SEED = int(os.environ.get("PEAT_SEED", "7"))


def main():
    if not os.access(PEAT, os.X_OK):
        sys.exit(f"no command at {PEAT}: build first, or name it")
    print(f"seed {SEED}: rerun with PEAT_SEED={SEED} {sys.argv[0]} {PEAT}")
    unittest.main(verbosity=1)


class Cli(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="peat-cli-")
        self.env = {k: v for k, v in os.environ.items() if k != "PEAT_DB"}
        self.env["LC_ALL"] = "C.UTF-8"

    def tearDown(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def peat(self, *words, stdin=b"", code=0, **more):
        """Runs the command in the test's folder, checks its exit code, returns its output."""
        run = subprocess.run([PEAT, *words], input=stdin, capture_output=True, cwd=self.dir,
                             env=self.env, timeout=120, **more)
        self.assertEqual(run.returncode, code, f"peat {words}: {run.stdout!r} {run.stderr!r}")
        self.err = run.stderr.decode("utf-8", "replace")
        if code in (2, 3):
            self.assertEqual(self.err.count("\n"), 1, f"one line, not {self.err!r}")
            self.assertTrue(self.err.startswith("peat"), self.err)
        return run.stdout

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return name

    def store(self, entries):
        """A store s with these entries."""
        text = b"".join(k.hex().encode() + b"\t" + v.hex().encode() + b"\n" for k, v in entries)
        self.peat("load", "-q", "-k", "hex", "-v", "hex", "s", stdin=text)


def any_bytes_entries(count=400):
    """Unique keys of any bytes, those that formats trip over among them."""
    pick = random.Random(SEED)
    special = b"\\\t\n\r\0\"{}:;\x7f\xff\xc3\xa4x"
    entries = {b"": b"", b"\t": b"\t", b"\n": b"\n", b"\0": b"\0", b"\\x41": b"\\", b"\xff": b"\xff"}
    while len(entries) < count:
        key = bytes(pick.choice(special) if pick.random() < 0.5 else pick.randrange(256)
                    for _ in range(pick.randrange(12)))
        entries[key] = bytes(pick.choice(special) if pick.random() < 0.5 else pick.randrange(256)
                             for _ in range(pick.randrange(40)))
    return sorted(entries.items())
