#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""Stores of every format version, opened for ever; newer versions are refused and not touched.

Usage: test_golden.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import json
import os
import struct
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "cli"), os.path.join(os.path.dirname(HERE), "reader")]
from cli_support import PEAT, Cli, main  # noqa: E402
from cursor import Unsupported  # noqa: E402
from manifest import read_superblock  # noqa: E402
from peat_reader import read_store, tsv  # noqa: E402
from xxh3 import checksum  # noqa: E402

STORES = sorted(name for name in os.listdir(HERE) if name.endswith(".tar.xz"))
SLOT, SLOT_ID = 4096, 0x544145505F425353
NAMES_AT = 72


class Golden(Cli):
    def unpack(self, name):
        """The store in s; returns what must be in it, or None when this build lacks its codec."""
        folder = self.path("s")
        subprocess.run(["rm", "-rf", folder], check=True)
        with tarfile.open(os.path.join(HERE, name)) as tar:
            for member in tar.getmembers():
                self.assertEqual(member.name, os.path.basename(member.name))
                os.makedirs(folder, exist_ok=True)
                with open(os.path.join(folder, member.name), "wb") as f:
                    f.write(tar.extractfile(member).read())
        with open(os.path.join(folder, "expected.tsv"), "rb") as f:
            expected = f.read()
        os.unlink(os.path.join(folder, "expected.tsv"))
        probe = subprocess.run([PEAT, "count", "-q", folder], capture_output=True)
        lacking = probe.returncode == 3 and b"which this build lacks" in probe.stderr
        return None if lacking else expected

    def files(self):
        found = {}
        for name in sorted(os.listdir(self.path("s"))):
            with open(self.path("s/" + name), "rb") as f:
                found[name] = f.read()
        return found

    def each(self):
        self.assertGreaterEqual(len(STORES), 9)
        for name in STORES:
            expected = self.unpack(name)
            if expected is not None:
                with self.subTest(name):
                    self.assertGreater(expected.count(b"\n"), 20)
                    yield expected

    def test_read_only_shows_every_record_and_changes_nothing(self):
        for expected in self.each():
            before = self.files()
            self.assertEqual(self.peat("dump", "-q", "s"), expected)
            self.assertIn(b"sound", self.peat("check", "s"))
            self.assertEqual(self.files(), before)

    def test_the_independent_reader_agrees(self):
        for expected in self.each():
            try:
                self.assertEqual(tsv(read_store(self.path("s"))), expected)
            except Unsupported:
                pass  # a codec that is not here

    def test_it_goes_on_as_a_store_of_today(self):
        for expected in self.each():
            self.peat("put", "-q", "s", "~golden", "new")
            want = expected + b"~golden\tnew\n"
            self.assertEqual(self.peat("dump", "-q", "s"), want)
            self.peat("compact", "-q", "s")
            self.assertEqual(self.peat("dump", "-q", "s"), want)
            self.assertIn(b"sound", self.peat("check", "s"))

    def test_it_can_be_repaired_and_copied(self):
        for expected in self.each():
            subprocess.run(["rm", "-rf", self.path("new"), self.path("copy")], check=True)
            self.peat("repair", "-q", "s", "new")
            self.assertEqual(self.peat("dump", "-q", "new"), expected)
            self.peat("import", "-q", "copy", stdin=self.peat("export", "-q", "s"))
            self.assertEqual(self.peat("dump", "-q", "copy"), expected)

    def test_the_format_is_raised_on_first_use_and_stays(self):
        for name in STORES:
            expected = self.unpack(name)
            if expected is None:
                continue
            with self.subTest(name):
                version = int(name[1])
                told = json.loads(self.peat("info", "--json", "s"))
                self.assertEqual(told["format_version"], version)
                self.assertEqual(told["features"], ["long-prefix"] if version == 2 else [])
                self.peat("put", "-q", "s", "~golden", "new")
                self.peat("compact", "-q", "s")
                self.assertEqual(json.loads(self.peat("info", "--json", "s"))["format_version"], version)
                rows = b"".join(b"%s\tv\n" % (b"~" * 30000 + b"%03d" % n) for n in range(30))
                self.peat("load", "-q", "s", stdin=rows)
                self.peat("compact", "-q", "s")
                self.assertIn("(long-prefix)", self.peat("info", "s").decode())
                self.assertEqual(self.peat("dump", "-q", "s"), expected + b"~golden\tnew\n" + rows)
                self.peat("del", "-q", "s", *("~" * 30000 + "%03d" % n for n in range(30)))
                self.peat("compact", "-q", "s")
                self.assertIn("(long-prefix)", self.peat("info", "s").decode())
                self.assertIn(b"sound", self.peat("check", "s"))

    def test_a_reader_of_format_1_refuses_by_number(self):
        """As the superblock's place for the version, and what was made of it, were before there was a second."""
        for name in STORES:
            if self.unpack(name) is not None:
                if name.startswith("v1-"):
                    read_superblock(self.path("s"), print, 1)
                    continue
                with self.assertRaisesRegex(Unsupported, "format version 2$"):
                    read_superblock(self.path("s"), print, 1)

    def test_a_newer_version_is_refused_without_touching_a_byte(self):
        for name in ("v1-closed-lz4.tar.xz", "v2-long-prefix-lz4.tar.xz"):
            self.unpack(name)
            self.rewrite_slots(lambda slot: struct.pack_into("<I", slot, 16, 3))
            self.expect_refused("version 3, this library reads up to 2")

    def test_an_unknown_feature_is_refused_by_its_name_without_touching_a_byte(self):
        def name_more(slot):
            end = slot.index(0, NAMES_AT)
            slot[end:end + 13] = b"\x0brange-delet\0"

        def name_only(slot):
            struct.pack_into("<I", slot, 16, 2)
            slot[NAMES_AT:NAMES_AT + 13] = b"\x0brange-delet\0"

        for name, change in (("v1-closed-lz4.tar.xz", name_only), ("v2-long-prefix.tar.xz", name_more)):
            self.unpack(name)
            self.rewrite_slots(change)
            self.expect_refused('"range-delet", which this library does not know')
            with self.assertRaisesRegex(Unsupported, "range-delet"):
                read_store(self.path("s"))

    def rewrite_slots(self, change):
        data = bytearray(self.files()["PEAT"])
        for at in (0, SLOT):
            slot = data[at:at + SLOT]
            self.assertEqual(struct.unpack_from("<QQ", slot)[0], checksum(bytes(slot[8:]), SLOT_ID, at))
            change(slot)
            self.assertEqual(len(slot), SLOT)
            struct.pack_into("<Q", slot, 0, checksum(bytes(slot[8:]), SLOT_ID, at))
            data[at:at + SLOT] = slot
        with open(self.path("s/PEAT"), "wb") as f:
            f.write(data)

    def expect_refused(self, words_of_error):
        before = self.files()
        for words in (["get", "s", "k"], ["put", "s", "k", "v"], ["check", "s"], ["compact", "s"], ["dump", "s"],
                      ["load", "s"], ["repair", "s", "new"], ["export", "s"]):
            self.peat(*words, code=3)
            self.assertIn(words_of_error, self.err)
            after = self.files()
            after.pop("LOCK", None)
            self.assertEqual(after, before)
        self.assertFalse(os.path.exists(self.path("new")))

    def test_they_stay_small(self):
        sizes = [os.path.getsize(os.path.join(HERE, name)) for name in STORES]
        self.assertLess(sum(sizes), 100 << 10)


if __name__ == "__main__":
    main()
