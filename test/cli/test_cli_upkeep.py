#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""stats, compact, check, export and import; what must be refused.

Usage: test_cli_upkeep.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from cli_support import PEAT, Cli, any_bytes_entries, main  # noqa: E402


class Upkeep(Cli):
    def test_stats_draw_and_tell(self):
        self.store([(b"%06d" % i, b"v" * 50) for i in range(5000)])
        self.peat("compact", "s")
        text = self.peat("stats", "s").decode()
        for word in ("Layers", "Partitions", "bottom", "entries", "Settled"):
            self.assertIn(word, text)
        self.assertNotIn("read from the log", text)
        told = json.loads(self.peat("stats", "--json", "s"))
        self.assertEqual(told["stats"]["partitions"], len(told["partitions"]))
        self.assertEqual(sum(p["entries"] for p in told["partitions"]), 5000)
        self.assertGreater(told["stats"]["bottom_bytes"], 0)

    def test_stats_tell_of_the_log(self):
        self.peat("put", "s", "key", "value")
        text = self.peat("stats", "s").decode()
        self.assertIn("read from the log", text)
        self.assertNotIn("Settled", text)
        self.assertIn("\n1 entry (of them 0 deletions) in 1 partition, 0 tables\n", text)
        told = json.loads(self.peat("stats", "--json", "s"))["stats"]
        self.assertEqual(told["entries"], 1)
        files = {n: os.path.getsize(self.path("s/" + n)) for n in os.listdir(self.path("s"))}
        self.assertEqual(told["log_bytes"], sum(size for n, size in files.items() if n[:2] == "w-"))
        self.assertEqual(told["disk_bytes"], sum(files.values()) - files["LOCK"])

    def test_counters_are_listed_in_units_for_people(self):
        self.store([(b"%06d" % i, b"v" * 50) for i in range(5000)])
        text = self.peat("stats", "--counters", "s").decode()
        rows = dict(row.split(None, 1) for row in text.split("Counters")[1].splitlines()[1:])
        told = json.loads(self.peat("stats", "--json", "s"))["stats"]
        self.assertEqual(set(rows), set(told))
        self.assertEqual(rows["entries"], "5,000")
        self.assertRegex(rows["disk_bytes"], r"^[\d.]+ [kM]B$")
        self.assertRegex(rows["sync_us_total"], r"^[\d.]+ s$")

    def test_info_tells_what_the_store_is(self):
        keys = [b"order/%05d" % i for i in range(2000)] + [b"user/%03d/name" % i for i in range(500)] + [b"version"]
        self.store([(key, b"value " * 20) for key in keys])
        self.peat("compact", "-q", "s")
        told = json.loads(self.peat("info", "--json", "-n", "3", "s"))
        self.assertEqual((told["format_version"], told["app_id"]), (1, 0))
        self.assertEqual((told["first_key"], told["last_key"]), ("order/00000", "version"))
        self.assertEqual(told["raw_bytes"], sum(len(key) + 120 for key in keys))
        self.assertGreater(told["ratio"], 1)
        self.assertGreater(told["lz4_bytes"], 0)
        self.assertEqual([p.get("prefix", p.get("key")) for p in told["prefixes"]], ["order/0", "user/", "version"])
        for found, want in zip(told["prefixes"], (2000, 500, 1)):
            self.assertLessEqual(abs(found["entries"] - want), 10 + want / 10)
        text = self.peat("info", "s").decode()
        for word in ("format:      1\n", "times their size", "first key:   order/00000\n", "last key:    version\n",
                     "order/0", "user/", "1 table"):
            self.assertIn(word, text)
        for limit in (1, 2, 16, 256):
            told = json.loads(self.peat("info", "--json", "-n", str(limit), "s"))
            self.assertLessEqual(len(told["prefixes"]), limit)
            self.assertLessEqual(abs(sum(p["entries"] for p in told["prefixes"]) - len(keys)), 30 + len(keys) / 10)
        self.peat("info", "-n", "0", "s", code=2)

    def test_info_of_stores_that_are_odd(self):
        self.peat("load", "-q", "none", stdin=b"")
        self.assertEqual(json.loads(self.peat("info", "--json", "none"))["prefixes"], [])
        self.assertIn(b"0 entries", self.peat("info", "none").replace(b"entries:     0,", b"0 entries"))
        self.peat("put", "-k", "hex", "s", "", "v")
        self.assertIn(b"(the empty key)", self.peat("info", "s"))
        self.store([(bytes([c]), b"1") for c in range(256)] + [(b"\xff" * n, b"2") for n in range(2, 9)])
        told = json.loads(self.peat("info", "--json", "-k", "hex", "-n", "256", "s"))
        self.assertLessEqual(len(told["prefixes"]), 256)
        self.assertEqual((told["first_key_hex"], told["last_key_hex"]), ("", "ff" * 8))

    def test_compact_takes_a_prefix(self):
        self.store([(b"a%05d" % i, b"v" * 200) for i in range(3000)] + [(b"b%05d" % i, b"v" * 200) for i in range(3000)])
        want = self.peat("dump", "s")
        self.peat("compact", "-q", "--prefix", "a", "s")
        self.assertEqual(self.peat("dump", "s"), want)
        self.peat("compact", "-q", "--prefix", "x", "--lower", "a", "--upper", "b", "s")
        self.peat("compact", "-q", "--lower", "b", "--upper", "a", "s")
        self.assertEqual(self.peat("dump", "s"), want)

    def test_export_takes_bounds(self):
        self.store([(b"%c%03d" % (c, i), b"v") for c in b"abc" for i in range(500)] + [(b"", b"v"), (b"\xff\xff", b"v")])
        for i, words in enumerate((["-p", "b"], ["-l", "a100", "-u", "b200"], ["-p", "b", "-u", "b007"], ["-p", "x"], [])):
            self.peat("import", "-q", f"t{i}", stdin=self.peat("export", "-q", *words, "s"))
            self.assertEqual(self.peat("dump", f"t{i}"), self.peat("dump", *words, "s"), words)

    def test_compact_changes_no_answer(self):
        self.store([(b"%06d" % i, b"v" * 50) for i in range(3000)])
        self.peat("del", "s", *("%06d" % i for i in range(0, 3000, 3)))
        want = self.peat("dump", "s")
        told = json.loads(self.peat("compact", "-q", "--json", "s"))
        self.assertLessEqual(told["disk_bytes"], told["disk_bytes_before"])
        self.assertEqual(self.peat("dump", "s"), want)

    def test_check_of_a_sound_store(self):
        self.store(any_bytes_entries())
        self.assertIn(b"sound", self.peat("check", "s"))
        self.assertEqual(self.peat("check", "-q", "s"), b"")
        told = json.loads(self.peat("check", "--json", "s"))
        self.assertEqual((told["ok"], told["damages"]), (True, []))

    def test_check_names_the_damaged_file(self):
        self.store([(b"%06d" % i, os.urandom(60)) for i in range(20000)])
        self.peat("compact", "-q", "s")
        tables = sorted((n for n in os.listdir(self.path("s")) if n.startswith("t-")),
                        key=lambda n: os.path.getsize(self.path("s/" + n)))
        with open(self.path("s/" + tables[-1]), "r+b") as f:
            f.seek(os.path.getsize(f.name) // 3)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 0x10]))
        lines = self.peat("check", "s", code=3).decode().splitlines()
        self.assertTrue(any(line.startswith(tables[-1] + " @") for line in lines), lines)
        told = json.loads(self.peat("check", "--json", "s", code=3))
        self.assertFalse(told["ok"])
        self.assertIn(tables[-1], [d["file"] for d in told["damages"]])
        self.peat("dump", "s", code=3)

    def test_export_and_import_copy_the_store(self):
        self.store(any_bytes_entries())
        stream = self.peat("export", "s")
        self.peat("import", "copy", stdin=stream)
        words = ["dump", "-k", "hex", "-v", "hex"]
        self.assertEqual(self.peat(*words, "copy"), self.peat(*words, "s"))
        self.peat("import", "copy", stdin=stream, code=3)
        for cut in (0, 1, len(stream) // 2, len(stream) - 1):
            self.peat("import", "torn", stdin=stream[:cut], code=3)
            self.peat("count", "torn", code=3)

    def test_import_tells_a_torn_export_from_none(self):
        self.store(any_bytes_entries())
        stream = self.peat("export", "s")
        for text, why in ((b"", "empty: this is not an export"), (b"a\tb\nc\n", "not an export"),
                          (b"PEATCOPE" + stream[8:20], "not an export"), (b"x" * 5000, "not an export"),
                          (stream[:6], "torn"), (stream[:20], "torn"), (stream[:-1], "torn")):
            self.peat("import", "copy", stdin=text, code=3)
            self.assertIn(why, self.err)

    def test_read_only_commands_change_nothing(self):
        self.store(any_bytes_entries())

        def state():
            found = {}
            for name in sorted(os.listdir(self.path("s"))):
                with open(self.path("s/" + name), "rb") as f:
                    found[name] = f.read()
            return found
        before = state()
        for words in (["get", "s", "no such key"], ["scan", "-p", "no such key", "s"]):
            self.peat(*words, code=1)
        for words in (["count", "s"], ["dump", "s"], ["stats", "s"], ["check", "s"], ["export", "s"]):
            self.peat(*words)
        self.assertEqual(state(), before)


class Refusals(Cli):
    def test_a_store_that_is_none(self):
        for words in (["get", "absent", "k"], ["dump", "absent"], ["del", "absent", "k"],
                      ["stats", "absent"], ["check", "absent"], ["compact", "absent"]):
            self.peat(*words, code=3)
            self.assertIn("absent", self.err)
        self.assertFalse(os.path.exists(self.path("absent")))
        self.write("file", b"x")
        self.peat("put", "file", "k", "v", code=3)
        self.assertIn("file", self.err)
        os.mkdir(self.path("other"))
        self.write("other/notes.txt", b"mine")
        self.peat("put", "other", "k", "v", code=3)
        self.assertEqual(os.listdir(self.path("other")), ["notes.txt"])

    def test_a_store_that_is_open_elsewhere(self):
        holder = subprocess.Popen([PEAT, "load", "-q", "--batch", "1", "--ack", "-", "s"],
                                  cwd=self.dir, env=self.env, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        holder.stdin.write(b"a\t1\nb\t2\n")
        holder.stdin.flush()
        self.assertEqual(holder.stdout.readline(), b"1\n")
        for words in (["get", "s", "a"], ["put", "s", "a", "2"]):
            self.peat(*words, code=3)
            self.assertIn(str(holder.pid), self.err)
        holder.stdin.close()
        self.assertEqual(holder.wait(60), 0)
        holder.stdout.close()  # only now: the last acknowledgement goes there
        self.assertEqual(self.peat("get", "s", "b"), b"2")

    def test_usage_errors(self):
        for words in ([], ["frob"], ["get"], ["get", "s"], ["put", "s", "a", "b", "c"], ["dump", "s", "a"],
                      ["scan", "--limit", "many", "s"], ["load", "-f", "xml", "s"],
                      ["load", "-t", "ab", "s"], ["scan", "-K", "-V", "s"], ["help", "frob"],
                      ["load", "--batch", "0", "s"], ["put", "", "a", "b"]):
            self.peat(*words, code=2)


if __name__ == "__main__":
    main()
