#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""repair: a new store out of a damaged one.

Usage: test_cli_repair.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import json
import os
import sys

sys.dont_write_bytecode = True
from cli_support import Cli, main  # noqa: E402


class Repair(Cli):
    def setUp(self):
        super().setUp()
        self.entries = [(b"%06d" % i, b"value %d " % i + os.urandom(40)) for i in range(20000)]
        self.store(self.entries)
        self.peat("compact", "-q", "-c", "none", "s")
        self.good = self.dump("s")

    def dump(self, name):
        return self.peat("dump", "-k", "hex", "-v", "hex", name).splitlines()

    def files(self, letter):
        return sorted(n for n in os.listdir(self.path("s")) if n.startswith(letter))

    def flip(self, name, at):
        with open(self.path("s/" + name), "r+b") as f:
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes([byte[0] ^ 0x20]))

    def state(self):
        found = {}
        for name in sorted(os.listdir(self.path("s"))):
            with open(self.path("s/" + name), "rb") as f:
                found[name] = f.read()
        return found

    def test_a_damaged_block_costs_its_records_and_no_others(self):
        self.flip(self.files("t-")[0], 5000)
        before = self.state()
        lines = self.peat("repair", "s", "new", code=1).decode().splitlines()
        self.assertTrue(lines[0].startswith(self.files("t-")[0] + " @"), lines)
        self.assertIn("were left out", self.err)
        self.assertEqual(self.state(), before)
        new = self.dump("new")
        self.assertTrue(set(new) < set(self.good))
        self.assertGreater(len(new), len(self.good) - 400)
        self.assertIn(b"sound", self.peat("check", "new"))
        self.peat("repair", "s", "new", code=3)  # never over another store
        self.assertEqual(self.err, "peat repair: cannot repair s to new: a store is already here; name a new directory\n")

    def test_a_sound_store_is_copied_whole(self):
        told = json.loads(self.peat("repair", "-q", "--json", "s", "new"))
        self.assertEqual((told["ok"], told["damages"], told["entries"]), (True, [], 20000))
        self.assertEqual(self.dump("new"), self.good)

    def test_a_lost_superblock_costs_nothing(self):
        os.unlink(self.path("s/PEAT"))
        self.peat("dump", "s", code=3)
        self.assertTrue(self.peat("repair", "-q", "s", "new").startswith(b"PEAT @0: "))
        self.assertEqual(self.dump("new"), self.good)

    def test_without_a_manifest_all_records_are_doubtful(self):
        os.unlink(self.path("s/" + self.files("m-")[0]))
        words = ["-k", "hex", "-v", "hex"]
        told = json.loads(self.peat("repair", "-q", "--json", *words, "--doubtful", "d.tsv", "s", "new", code=1))
        self.assertEqual((told["entries"], told["doubtful"], told["manifest_lost"]), (0, 20000, True))
        self.peat("load", "-q", *words, "new", "d.tsv")
        self.assertEqual(self.dump("new"), self.good)
        self.peat("repair", "-q", "--accept-doubtful", "s", "other")
        self.assertEqual(self.dump("other"), self.good)
        self.peat("repair", "-q", "--doubtful", "d.tsv", "s", "third", code=2)

    def test_a_store_is_not_repaired_into_itself_through_links_either(self):
        os.symlink("s", self.path("link"))
        os.symlink(".", self.path("here"))
        before = self.state()
        for dir, new in (("s", "s"), ("s", "s/in"), ("s", "./s"), ("s", "link"), ("link", "s"),
                         ("s", "link/"), ("s", "link/in"), ("link", "here/s/in/"), ("s", self.path("s"))):
            self.peat("repair", dir, new, code=3)
            self.assertEqual(self.err, f"peat repair: cannot repair {dir} to {new}: the new store is not made in the "
                                       "directory of the damaged one\n")
            self.assertEqual(self.state(), before)
        self.peat("repair", "-q", "link", "here/new")
        self.assertEqual(self.dump("new"), self.good)

    def test_what_is_no_store_is_not_repaired(self):
        os.mkdir(self.path("other"))
        self.write("other/notes.txt", b"mine")
        for name in ("other", "absent", "other/notes.txt"):
            self.peat("repair", name, "new", code=3)
            self.assertIn(f"cannot repair {name}: ", self.err)
            self.assertFalse(os.path.exists(self.path("new")))
        self.peat("repair", "s", "other", code=3)
        self.assertIn("cannot repair s to other: ", self.err)
        self.assertNotIn("other: other", self.err)
        self.peat("repair", "s", "away/new", code=3)
        self.assertIn("cannot repair s to away/new: the directory", self.err)
        self.peat("repair", "s", code=2)


if __name__ == "__main__":
    main()
