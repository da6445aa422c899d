#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""Records into a store and out again, acknowledgements, killed loaders.

Usage: test_cli_load.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import base64
import json
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
from cli_support import PEAT, Cli, any_bytes_entries, main  # noqa: E402


FORMATS = ("tsv", "jsonl", "nul")


class Loads(Cli):
    def test_dump_and_load_carry_any_bytes_in_every_format(self):
        entries = any_bytes_entries()
        self.store(entries)
        reference = self.peat("dump", "-k", "hex", "-v", "hex", "s")
        self.assertEqual(reference, b"".join(k.hex().encode() + b"\t" + v.hex().encode() + b"\n"
                                             for k, v in entries))
        for name in FORMATS:
            for encoding in ("text", "hex", "base64"):
                if (name, encoding) == ("nul", "text"):
                    continue
                words = ["-f", name, "-k", encoding, "-v", encoding]
                text = self.peat("dump", *words, "s")
                copy = f"copy-{name}-{encoding}"
                self.peat("load", "-q", *words, copy, stdin=text)
                self.assertEqual(self.peat("dump", "-k", "hex", "-v", "hex", copy), reference, words)
        self.peat("dump", "-f", "nul", "s", code=2)
        self.peat("dump", "--no-escapes", "s", code=2)

    def test_tsv_text_can_be_read_by_another_program(self):
        self.store([(b"a\tb", b"1\n2\\"), (b"c\xc3\xa4", b"\x01")])
        self.assertEqual(self.peat("dump", "s"), b"a\\tb\t1\\n2\\\\\nc\xc3\xa4\t\\x01\n")

    def test_json_dump_is_json(self):
        entries = any_bytes_entries()
        self.store(entries)
        rows = [json.loads(line) for line in self.peat("dump", "--json", "s").splitlines()]

        def field(row, name):
            return (row[name].encode() if name in row else base64.b64decode(row[name + "_base64"]))
        self.assertEqual([(field(r, "key"), field(r, "value")) for r in rows], entries)

    def test_load_from_files_and_pipes_of_other_programs(self):
        self.write("one", b"a;1;x\nb;2\n")
        self.write("two", b"c;3")
        self.peat("load", "-t", ";", "s", "one", "two")
        self.assertIn("3 records", self.err)
        self.assertEqual(self.peat("dump", "s"), b"a\t1;x\nb\t2\nc\t3\n")
        self.peat("load", "-q", "-f", "jsonl", "-F", "id", "j", stdin=b'{"id":7,"n":1}\n')
        self.assertEqual(self.peat("get", "j", "7"), b'{"id":7,"n":1}')
        self.peat("load", "-q", "-f", "nul", "n", stdin=b"k\0line\nline\0")
        self.assertEqual(self.peat("get", "n", "k"), b"line\nline")
        self.peat("load", "-q", "-E", "e", stdin=b"sys\\x2d\tv\\\n")
        self.assertEqual(self.peat("dump", "-E", "e"), b"sys\\x2d\tv\\\n")
        summary = json.loads(self.peat("load", "-q", "--json", "s", "two", "-t", ";"))
        self.assertEqual((summary["records"], summary["bytes"]), (1, 2))

    def test_bad_input_names_the_record_and_keeps_those_before(self):
        self.peat("load", "s", stdin=b"a\t1\nb\t2\nno separator\nc\t3\n", code=2)
        self.assertIn("standard input, record 3 at byte 8: ", self.err)
        self.assertIn("the 2 records before are in the store", self.err)
        self.assertEqual(self.peat("dump", "s"), b"a\t1\nb\t2\n")
        self.peat("load", "s", "absent", code=2)
        self.assertIn("absent", self.err)
        self.peat("load", "s", stdin=b"k" * 70000 + b"\tv\n", code=2)
        self.assertIn("65535", self.err)

    def test_load_options_do_not_change_the_result(self):
        text = b"".join(b"%05d\t%s\n" % (i * 7919 % 10007, b"v" * (i % 50)) for i in range(10007))
        want = b"".join(sorted(text.splitlines(keepends=True)))
        for i, words in enumerate((["--no-log"], ["--settle"], ["--batch", "1000000"], ["--batch", "3"],
                                   ["--compression", "none"], ["--memory", "1M"],
                                   ["--sync", "--batch", "5000"])):
            self.peat("load", "-q", *words, f"s{i}", stdin=text)
            self.assertEqual(self.peat("dump", f"s{i}"), want, words)

    def test_acknowledgements_count_up_to_the_whole(self):
        text = b"".join(b"%05d\tv\n" % i for i in range(2500))
        self.assertEqual(self.peat("load", "-q", "--ack", "-", "s", stdin=text), b"1000\n2000\n2500\n")
        self.peat("load", "-q", "--ack", "acks", "--batch", "500", "s", stdin=text)
        with open(self.path("acks"), "rb") as f:
            self.assertEqual(f.read(), b"500\n1000\n1500\n2000\n2500\n")
        self.peat("load", "-q", "--ack", "absent/acks", "s", stdin=text, code=2)

    def test_acknowledgements_do_not_go_over_an_input(self):
        rows = b"a\t1\nb\t2\n"
        self.write("rows", rows)
        self.write("other", b"c\t3\n")
        os.link(self.path("rows"), self.path("hard"))
        os.symlink("rows", self.path("soft"))
        for ack, inputs in (("rows", ["rows"]), ("./rows", ["other", "rows"]), ("hard", ["rows"]), ("soft", ["rows"]),
                            ("rows", ["soft"]), ("rows", []), ("soft", ["other", "-"])):
            with open(self.path("rows"), "rb") as stdin:
                run = subprocess.run([PEAT, "load", "-a", ack, "s", *inputs], cwd=self.dir, env=self.env,
                                     stdin=stdin, capture_output=True, timeout=60)
            name = inputs[-1] if inputs and inputs[-1] != "-" else "standard input"
            self.assertEqual((run.returncode, run.stderr.decode()), (
                2, f"peat load: --ack {ack} and the input {name} are the same file; nothing was loaded\n"))
            with open(self.path("rows"), "rb") as f:
                self.assertEqual(f.read(), rows)
            self.assertFalse(os.path.exists(self.path("s")))
        with open(self.path("rows"), "ab") as stdout:
            run = subprocess.run([PEAT, "load", "-a", "-", "s", "rows"], cwd=self.dir, env=self.env,
                                 stdout=stdout, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(run.returncode, 2, run.stderr)
        self.peat("load", "-q", "-a", "/dev/null", "s", "rows", "/dev/null")
        self.write("acks", b"7\n" * 100)
        self.peat("load", "-q", "-a", "acks", "s", "rows")
        with open(self.path("acks"), "rb") as f:
            self.assertEqual(f.read(), b"2\n")

    def test_nothing_is_written_among_the_files_of_the_store(self):
        self.store([(b"a", b"1")])
        os.symlink("s", self.path("link"))
        before = sorted(os.listdir(self.path("s")))
        for name in ("s/PEAT", "s/new", "link/PEAT", "link/../s/new", self.path("s/PEAT")):
            self.peat("load", "-a", name, "s", stdin=b"b\t2\n", code=2)
            self.assertIn(f"--ack {name} lies in the store s", self.err)
            self.peat("repair", "-D", name, "s", "new", code=2)
            self.assertIn(f"--doubtful {name} lies in the store s", self.err)
        self.assertEqual(sorted(os.listdir(self.path("s"))), before)
        self.assertEqual(self.peat("dump", "s"), b"a\t1\n")

    def test_a_load_that_fails_tells_what_is_safe(self):
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (400 << 10, 400 << 10))
        text = b"".join(b"%06d\t%s\n" % (i, b"v" * 100) for i in range(20000))
        self.peat("load", "-q", "s", stdin=text, code=3, preexec_fn=small_files)
        told = re.search(r"; the (\d+) records before are in the store and on disk$", self.err.strip())
        self.assertTrue(told, self.err)
        self.assertGreater(int(told[1]), 0)
        self.assertEqual(self.peat("dump", "s"), b"".join(text.splitlines(keepends=True)[:int(told[1])]))

    def test_a_bar_is_drawn_on_a_terminal_only(self):
        text = b"".join(b"%06d\tv\n" % i for i in range(20000))
        self.write("rows", text)
        self.peat("load", "s", "rows")
        self.assertNotIn("\r", self.err)
        try:
            ours, theirs = pty.openpty()
        except OSError as e:
            self.skipTest(f"no terminal to be had: {e}")
        loader = subprocess.Popen([PEAT, "load", "t", "rows"], cwd=self.dir, env=self.env, stderr=theirs)
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how a terminal says that its other side is closed
                part = b""
            if not part:
                break
            seen += part
        os.close(ours)
        self.assertEqual(loader.wait(60), 0)
        self.assertRegex(seen, rb"\rload \[[=> ]+\] +\d+ %  [\d,]+ records")
        self.assertIn(b"20,000 records", seen.split(b"\033[K")[-1])  # the bar is gone, the summary stays

    def kill_loader(self, how, *words):
        """Feeds an endless load, kills it behind some acknowledgement; returns the last one."""
        loader = subprocess.Popen([PEAT, "load", "-q", "--batch", "100", "--ack", "-", *words, "s"],
                                  cwd=self.dir, env=self.env, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        number, acknowledged = 0, 0
        while acknowledged < 1500:
            rows = b"".join(b"%08d\tvalue %d\n" % (i, i) for i in range(number, number + 100))
            loader.stdin.write(rows)
            loader.stdin.flush()
            number += 100
            if number > 4000:
                acknowledged = int(loader.stdout.readline())
        loader.send_signal(how)
        for line in loader.stdout.read().split():
            acknowledged = int(line)
        loader.stdin.close()
        loader.stdout.close()
        return acknowledged, loader.wait(60)

    def expect_prefix(self, acknowledged):
        rows = self.peat("dump", "s").splitlines()
        self.assertGreaterEqual(len(rows), acknowledged)
        self.assertEqual(rows, [b"%08d\tvalue %d" % (i, i) for i in range(len(rows))])
        self.peat("check", "s")

    def test_what_was_acknowledged_survives_sigkill(self):
        for words in ([], ["--sync"], ["--memory", "1M"]):
            acknowledged, status = self.kill_loader(signal.SIGKILL, *words)
            self.assertEqual(status, -signal.SIGKILL)
            self.expect_prefix(acknowledged)
            shutil.rmtree(self.path("s"))

    def test_sigint_ends_a_load_between_batches_and_closes_the_store(self):
        acknowledged, status = self.kill_loader(signal.SIGINT)
        self.assertEqual(status, 130)
        self.expect_prefix(acknowledged)
        self.assertEqual(int(self.peat("count", "s")), acknowledged)


    def interrupt(self, rows):
        """What a load into s says that is interrupted when so many records were acknowledged."""
        loader = subprocess.Popen([PEAT, "load", "-b", "1", "-a", "-", "s"], cwd=self.dir, env=self.env,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        loader.stdin.write(b"".join(b"n%d\tv\n" % i for i in range(rows)))
        loader.stdin.flush()
        for i in range(rows):
            self.assertEqual(loader.stdout.readline(), b"%d\n" % (i + 1))
        loader.send_signal(signal.SIGINT)
        told = loader.communicate(timeout=60)[1].decode()
        self.assertEqual(loader.returncode, 130)
        return told

    def test_an_interrupted_load_tells_of_its_own_records(self):
        self.store([(b"%d" % i, b"v") for i in range(9)])
        self.assertEqual(self.interrupt(1), "peat load: interrupted; 1 record loaded\n")
        self.assertEqual(self.interrupt(3), "peat load: interrupted; 3 records loaded\n")
        self.peat("load", "s", stdin=b"a\t1\nb", code=2)
        self.assertIn("; the 1 record before is in the store\n", self.err)

    def test_records_without_end_are_loaded_until_a_signal(self):
        for words, piece in ((["-f", "nul"], b"\0" * 65536), (["-f", "jsonl"], b"\n" * 65536)):
            loader = subprocess.Popen([PEAT, "load", *words, "z"], cwd=self.dir, env=self.env,
                                      stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(100):
                loader.stdin.write(piece)
            loader.send_signal(signal.SIGTERM)
            told = loader.communicate(timeout=60)[1]
            self.assertEqual(loader.returncode, 143, told)
            self.assertIn(b"interrupted; ", told)


if __name__ == "__main__":
    main()
