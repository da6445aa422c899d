# SPDX-License-Identifier: MIT
"""One bit of one file turned, a file cut or gone: both sides notice.

ctest: timeout=240
"""
import os
import random
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "cli")]
from cli_support import PEAT, SEED, Cli, main  # noqa: E402
from cursor import Damage, Unsupported  # noqa: E402
from log import Log  # noqa: E402
from manifest import read_state, read_superblock  # noqa: E402
from peat_reader import read_store, tsv  # noqa: E402


def silent(text):
    """Notes are not wanted here."""


class Flips(Cli):
    """One bit of one file: the reader refuses, or prints what it printed before. `peat check` refuses
    whatever the reader refuses, `peat dump` never prints anything else."""

    def prepare(self, codec):
        pick = random.Random(SEED)
        entries = {b"k%03d" % pick.randrange(500): b"%d" % n * 9 for n in range(300)}
        self.store(entries.items())
        self.peat("compact", "-q", "-c", codec, "s")
        self.store([(b"k%03d" % n, b"over") for n in range(0, 500, 9)])
        self.folder = self.path("s")
        self.good = self.peat("dump", "-q", "s")
        self.assertEqual(self.read(), self.good)
        slot = read_superblock(self.folder, silent)
        state = read_state(self.folder, slot, silent)
        log = Log(self.folder, slot.store_id, state, silent)
        self.assertTrue(log.ops and state.live_files())
        return slot

    def read(self):
        try:
            return tsv(read_store(self.folder))
        except (Damage, Unsupported):
            return None

    def flipped(self, name, at, bit):
        path = os.path.join(self.folder, name)
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes([byte[0] ^ 1 << bit]))

    def try_flip(self, name, at, bit, with_library):
        """Whether the reader refuses."""
        self.flipped(name, at, bit)
        found = self.read()
        self.assertTrue(found in (None, self.good), f"{name} @{at} bit {bit} goes unnoticed")
        if with_library:
            dump = subprocess.run([PEAT, "dump", "-q", "s"], cwd=self.dir, capture_output=True, timeout=60)
            if dump.returncode == 0:
                self.assertTrue(dump.stdout == self.good, f"{name} @{at} bit {bit} is not seen by peat dump")
            else:
                self.assertEqual(dump.returncode, 3, f"{name} @{at} bit {bit}: {dump.stderr}")
                self.assertTrue(self.good.startswith(dump.stdout), f"{name} @{at} bit {bit}")
            if found is None:
                self.peat("check", "-q", "s", code=3)
        self.flipped(name, at, bit)
        return found is None

    def flips(self, name, places, refused, library_every):
        """Flips at the places; refused: True always, False never."""
        pick = random.Random(SEED)
        for n, at in enumerate(places):
            bit = pick.randrange(8)
            got = self.try_flip(name, at, bit, n % library_every == 0)
            self.assertEqual(got, refused, f"{name} @{at} bit {bit}")

    def size(self, name):
        return os.path.getsize(os.path.join(self.folder, name))

    def some(self, start, end, count):
        picked = random.Random(SEED).sample(range(start, end), min(count, end - start))
        return sorted({start, *picked, end - 1})

    def run_flips(self, codec):
        slot = self.prepare(codec)
        for name in sorted(os.listdir(self.folder)):
            if name.startswith("t-"):
                self.flips(name, self.some(0, self.size(name), 150), True, 15)
            elif name.startswith("m-"):
                self.flips(name, self.some(0, slot.promise, 60), True, 10)
                self.flips(name, self.some(slot.promise, self.size(name), 15), False, 8)
            elif name == "PEAT":
                self.flips(name, self.some(0, self.size(name), 20) + self.some(0, 72, 20), False, 8)
        records = self.records(slot)
        self.assertTrue(records)
        for name, start, end in records:
            self.flips(name, self.some(start, end, 60), True, 10)

    def records(self, slot):
        """Where records with operations are that the store needs: (file, start, end)."""
        found = []
        take = Log._apply

        def spy(log, segment, record, payload):
            if record.seq > log.state.seq_flushed:
                found.append((segment.name, record.at, record.end))
            take(log, segment, record, payload)
        Log._apply = spy
        try:
            Log(self.folder, slot.store_id, read_state(self.folder, slot, silent), silent)
        finally:
            Log._apply = take
        return found

    def test_uncompressed(self):
        self.run_flips("none")

    def test_lz4(self):
        self.run_flips("lz4")

    def test_missing_and_cut_files_are_refused(self):
        self.prepare("none")
        for name in sorted(n for n in os.listdir(self.folder) if n[0] in "tm"):
            path = os.path.join(self.folder, name)
            aside = self.path("aside")
            os.rename(path, aside)
            self.assertIsNone(self.read(), f"{name} is missing")
            for size in self.some(0, os.path.getsize(aside) if name[0] == "t" else 100, 6):
                shutil.copyfile(aside, path)
                os.truncate(path, size)
                self.assertIsNone(self.read(), f"{name} cut to {size}")
            os.replace(aside, path)
        self.assertEqual(self.read(), self.good)


if __name__ == "__main__":
    main()
