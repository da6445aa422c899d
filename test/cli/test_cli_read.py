#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""Points and scans through the peat command.

Usage: test_cli_read.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import base64
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from cli_support import PEAT, Cli, main  # noqa: E402


class Points(Cli):
    def test_put_get_del_and_their_exit_codes(self):
        self.peat("put", "s", "bog", "wet ground")
        self.assertEqual(self.peat("get", "s", "bog"), b"wet ground")
        self.assertEqual(self.peat("get", "-N", "s", "bog"), b"wet ground")
        self.assertEqual(json.loads(self.peat("get", "--json", "s", "bog")),
                         {"key": "bog", "value": "wet ground"})
        self.assertEqual(self.peat("get", "s", "fen", code=1), b"")
        self.peat("put", "s", "bog", "")
        self.assertEqual(self.peat("get", "s", "bog"), b"")
        self.peat("del", "s", "bog")
        self.peat("get", "s", "bog", code=1)
        self.peat("del", "s", "bog", code=1)

    def test_del_removes_what_is_there_and_tells_of_the_rest(self):
        self.store([(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])
        self.peat("del", "s", "a", "x", "c", code=1)
        self.assertEqual(self.peat("dump", "s"), b"b\t2\n")

    def test_keys_and_values_in_every_encoding(self):
        self.peat("put", "-k", "hex", "-v", "base64", "s", "00ff", base64.b64encode(b"\0\1").decode())
        self.assertEqual(self.peat("get", "-k", "base64", "-v", "hex", "s", "AP8="), b"0001\n")
        self.peat("get", "-k", "hex", "s", "0", code=2)
        self.assertIn("hex", self.err)

    def test_a_value_from_a_file_or_pipe(self):
        data = bytes(range(256)) * 5000
        self.peat("put", "-i", self.write("value", data), "s", "file")
        self.peat("put", "-i", "-", "s", "pipe", stdin=data[:300000])
        self.assertEqual(self.peat("get", "-N", "s", "file"), data)
        self.assertEqual(self.peat("get", "-N", "s", "pipe"), data[:300000])
        self.peat("put", "-i", "absent", "s", "x", code=2)

    def test_arguments_that_look_like_options(self):
        self.peat("put", "s", "--", "-k", "-5")
        self.assertEqual(self.peat("get", "s", "--", "-k"), b"-5")
        self.peat("put", "s", "temperature", "-5", code=2)
        self.assertIn("--", self.err)

    def test_a_key_that_is_too_long(self):
        self.peat("put", "s", "k" * 65535, "v")
        self.peat("put", "s", "k" * 65536, "v", code=2)
        self.assertEqual(self.peat("count", "s"), b"1\n")

    def test_peat_db_names_the_store(self):
        self.peat("put", "s", "a", "1")
        self.env["PEAT_DB"] = "s"
        self.assertEqual(self.peat("get", "a"), b"1")
        self.peat("put", "b", "2")
        self.assertEqual(self.peat("dump"), b"a\t1\nb\t2\n")
        self.peat("put", "--db", "t", "c", "3")
        self.assertEqual(self.peat("dump", "-d", "t"), b"c\t3\n")
        # no argument is taken for the store, however many there are
        self.write("words.tsv", b"w\t9\n")
        self.peat("load", "-q", "words.tsv")
        self.assertEqual(self.peat("get", "w"), b"9")
        self.peat("del", "a", "b", "w")
        self.assertEqual(self.peat("count"), b"0\n")
        self.assertEqual(sorted(os.listdir(self.dir)), ["s", "t", "words.tsv"])
        self.peat("dump", "t", code=2)
        self.assertIn("by PEAT_DB; --db DIR names another", self.err)
        self.peat("put", "s", "k", "v", code=2)
        self.assertIn("a key without a value", self.err)

    def test_several_keys_at_once(self):
        self.peat("put", "s", "a", "1", "b", "2\n", "c", "")
        self.assertEqual(self.peat("get", "s", "b", "a", "c"), b"b\t2\\n\na\t1\nc\t\n")
        self.assertEqual(self.peat("get", "s", "a", "x", "b", code=1), b"a\t1\nb\t2\\n\n")
        self.assertEqual(self.err, "peat get: 1 key of 3 not in s: 'x'\n")
        rows = self.peat("get", "-j", "s", "c", "b").splitlines()
        self.assertEqual([json.loads(row) for row in rows],
                         [{"key": "c", "value": ""}, {"key": "b", "value": "2\n"}])
        self.peat("put", "s", "d", "4", "e", code=2)
        self.assertIn("a key without a value", self.err)
        self.peat("put", "-v", "hex", "t", "d", "00", "e", "0", code=2)
        self.peat("count", "t", code=3)  # all pairs make sense, or nothing is made
        self.peat("put", "-k", "hex", "s", "66", "6", "0x", "7", code=2)
        self.peat("get", "s", "f", code=1)

    def test_the_keys_that_are_missing_are_named(self):
        self.peat("put", "s", "a", "1", "b", "2", "c", "3")
        for command in ("get", "del"):
            for words, told in ((["a", "\n\t", "x\\"], "2 keys of 3 not in s: '\\n\\t', 'x\\\\'"),
                                (["x", "b", "y", "z"], "3 keys of 4 not in s: 'x', 'y', 'z'"),
                                (["1", "2", "c", "3", "4", "5"], "5 keys of 6 not in s: '1', '2', '3' and 2 more"),
                                (["-k", "hex", "00", "FF"], "2 keys of 2 not in s: '00', 'ff'"),
                                (["", "\u00e4" * 300], "2 keys of 2 not in s: '', '" + "\u00e4" * 19 + "..'"),
                                ([b"\xff", "\x1b[2J"], "2 keys of 2 not in s: '\\xff', '\\x1b[2J'")):
                self.peat(command, "s", *words, code=1)
                self.assertEqual(self.err, f"peat {command}: {told}\n")
            self.peat(command, "s", "none", code=1)
            self.assertIn("not in s\n", self.err)

    def test_get_gives_the_bytes_of_the_value_and_no_others(self):
        data = bytes(range(256)) + b"\n\n"
        self.peat("put", "-i", "-", "s", "k", stdin=data)
        self.assertEqual(self.peat("get", "s", "k"), data)
        self.assertEqual(self.peat("get", "-v", "hex", "s", "k"), data.hex().encode() + b"\n")
        self.assertEqual(self.peat("get", "-N", "-v", "hex", "s", "k"), data.hex().encode())

    def test_a_value_in_hex_from_a_file(self):
        self.peat("put", "-v", "hex", "-i", self.write("value", b"00ff"), "s", "k")
        self.assertEqual(self.peat("get", "s", "k"), b"\0\xff")


class Scans(Cli):
    def test_bounds_prefix_direction_and_limit(self):
        self.store([(b"%03d" % i, b"v%d" % i) for i in range(1000)])

        def keys(*words, code=0):
            return self.peat("scan", "-K", *words, "s", code=code).decode().split()
        self.assertEqual(keys("-p", "12"), ["%03d" % i for i in range(120, 130)])
        self.assertEqual(keys("-p", "12", "-r"), ["%03d" % i for i in range(129, 119, -1)])
        self.assertEqual(keys("-l", "003", "-u", "006"), ["003", "004", "005"])
        self.assertEqual(keys("-l", "003", "-u", "006", "-r", "-n", "2"), ["005", "004"])
        self.assertEqual(keys("-p", "12", "-l", "125", "-u", "127"), ["125", "126"])
        self.assertEqual(len(keys()), 1000)
        self.assertEqual(keys("-r", "-n", "1"), ["999"])
        self.assertEqual(keys("-p", "x", code=1), [])
        self.assertEqual(keys("-l", "5", "-u", "4", code=1), [])
        self.assertEqual(self.peat("scan", "-V", "-n", "2", "s"), b"v0\nv1\n")
        self.assertEqual(json.loads(self.peat("scan", "-j", "-n", "1", "s")),
                         {"key": "000", "value": "v0"})
        self.assertEqual(self.peat("count", "-p", "12", "s"), b"10\n")
        self.assertEqual(json.loads(self.peat("count", "--json", "s")), {"count": 1000})
        self.assertGreater(int(self.peat("count", "-A", "s")), 0)

    def test_counts_of_a_prefix_are_estimated_as_those_of_its_range(self):
        keys = [b"a%03d" % i for i in range(500)] + [b"b", b"b\xff", b"b\xff\xff1", b"c", b"\xff\xff", b"\xff\xff2"]
        self.store([(k, b"v" * 20) for k in keys])
        self.peat("compact", "-q", "s")
        for words in (["-p", "61"], ["-p", "62"], ["-p", "62ff"], ["-p", "ffff"], ["-p", ""],
                      ["-p", "61", "-l", "613130"], ["-p", "61", "-u", "613130"], ["-p", "61", "-l", "62"],
                      ["-p", "62", "-l", "61", "-u", "63"]):
            words = ["-k", "hex", *words]
            exact, about = int(self.peat("count", *words, "s")), int(self.peat("count", "-A", *words, "s"))
            self.assertLessEqual(abs(exact - about), 5 + exact / 10, words)
        self.assertEqual(self.peat("count", "-A", "-p", "a", "-u", "a", "s"), b"0\n")

    def test_dump_takes_bounds(self):
        self.store([(b"%03d" % i, b"v") for i in range(1000)])
        self.assertEqual(len(self.peat("dump", "-p", "12", "s").splitlines()), 10)
        self.assertEqual(self.peat("dump", "-l", "003", "-u", "005", "s"), b"003\tv\n004\tv\n")
        self.assertEqual(self.peat("dump", "-p", "x", "s"), b"")

    def test_a_reader_that_leaves_early_is_no_failure(self):
        self.store([(b"%06d" % i, b"v" * 100) for i in range(20000)])
        scan = subprocess.Popen([PEAT, "scan", "s"], cwd=self.dir, env=self.env,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(scan.stdout.read(7), b"000000\t")
        scan.stdout.close()
        self.assertEqual(scan.stderr.read(), b"")
        scan.stderr.close()
        self.assertEqual(scan.wait(60), 141)
        self.peat("check", "s")

    def test_output_that_cannot_be_written_is_an_error(self):
        self.store([(b"a", b"1")])
        for words in (["dump", "s"], ["get", "s", "a"], ["stats", "s"], ["help"], ["version"],
                      ["count", "s"], ["check", "s"], ["export", "s"]):
            with open("/dev/full", "wb") as full:
                run = subprocess.run([PEAT, *words], cwd=self.dir, env=self.env, stdout=full,
                                     stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(run.returncode, 3, words)
            self.assertIn(b"No space left", run.stderr)

    def test_a_closed_standard_output_never_lets_the_store_take_its_place(self):
        self.store([(b"a", b"1")])
        run = subprocess.run(f"exec {PEAT} dump s >&-", shell=True, cwd=self.dir, env=self.env,
                             stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(run.returncode, 3)
        self.assertEqual(self.peat("dump", "s"), b"a\t1\n")
        self.peat("check", "s")


if __name__ == "__main__":
    main()
