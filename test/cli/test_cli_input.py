#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""Input as it comes: endless, mistaken, marked, blank; and separators of every byte.

Usage: test_cli_input.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import json
import os
import resource
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from cli_support import PEAT, Cli, any_bytes_entries, main  # noqa: E402

MARK = b"\xef\xbb\xbf"
ROOM = 96 << 20  # of address space beyond what the command has at rest, which sanitizers make large


class Endless(Cli):
    """Each reader takes no more than a record can have, and says where it gave up."""

    def feed(self, piece, *words, limit=ROOM):
        """Feeds the piece for ever, with little memory to be had. Returns how much was taken."""
        def little_memory():
            if not os.environ.get("PEAT_SANITIZE"):
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        run = subprocess.Popen([PEAT, *words], cwd=self.dir, env=self.env, stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               preexec_fn=little_memory)
        taken = 0
        try:
            while taken < 1 << 28:
                taken += os.write(run.stdin.fileno(), piece)
        except BrokenPipeError:
            pass
        run.stdin.close()
        self.err = run.stderr.read().decode()
        run.stderr.close()
        self.assertEqual(run.wait(60), 2, self.err)
        self.assertEqual(self.err.count("\n"), 1, self.err)
        return taken

    def test_an_input_without_end_is_refused_at_the_limit_of_its_record(self):
        small = ["load", "-q", "-m", "1M"]
        for piece, words, why in (
                (b"\0" * 65536, [], "record 1 at byte 0: a key of more than 65535 bytes"),
                (b"\0" * 65536, ["-E"], "a key of more than 65535 bytes"),
                (b"\\" * 65536, [], "a key of more than 65535 bytes"),
                (b"a" * 65536, ["-k", "hex"], "a key of more than 65535 bytes"),
                (b"a" * 65536, ["-k", "base64"], "a key of more than 65535 bytes"),
                (b"y\n" * 32768, ["-f", "nul"], "record 1 at byte 0: a key of more than 65535 bytes"),
                (b"\0" * 65536, ["-f", "jsonl"], "record 1 at byte 0: not a JSON object"),
                (b" " * 65536, ["-f", "jsonl"], "a line of white space of more than 65536 bytes"),
                (b"y\n" * 32768, [], "record 1 at byte 0: no separator between key and value"),
                (b"\0" * 65536, ["-j"], "a key of more than 65535 bytes"),
                (b" " * 65536, ["-j"], "a line of white space of more than 65536 bytes")):
            with self.subTest(words=words, piece=piece[:2]):
                taken = self.feed(piece, *small, *words, "z")
                self.assertIn(why, self.err)
                self.assertIn("standard input", self.err)
                self.assertIn("nothing was loaded", self.err)
                self.assertLess(taken, 4 << 20)
                self.assertFalse(os.path.exists(self.path("z")))

    def test_the_record_that_does_not_end_is_named_and_those_before_it_stay(self):
        head = b"".join(b"%06d\tv\n" % i for i in range(3000))
        piece = head + b"x" * (1 << 20)
        self.feed(piece, "load", "-q", "-m", "1M", "z")
        self.assertIn(f"record 3001 at byte {len(head)}: a key of more than 65535 bytes", self.err)
        self.assertIn("the 3000 records before are in the store", self.err)
        self.assertEqual(self.peat("dump", "z"), head)

    def test_blank_lines_without_end_cost_nothing_and_are_no_error(self):
        lines = b"\n \n\t\r\n" * 200000 + b'{"key":"a","value":"1"}'
        self.peat("load", "-q", "-f", "jsonl", "z", stdin=lines)
        self.assertEqual(self.peat("dump", "z"), b"a\t1\n")

    def test_an_import_of_anything_else_ends_at_once(self):
        for name in ("zeros", "lines"):
            taken = 0
            run = subprocess.Popen([PEAT, "import", "-q", "z"], cwd=self.dir, env=self.env,
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                while taken < 1 << 26:
                    taken += os.write(run.stdin.fileno(), b"\0" * 65536 if name == "zeros" else b"y\n" * 32768)
            except BrokenPipeError:
                pass
            run.stdin.close()
            self.assertIn(b"not an export", run.stderr.read())
            run.stderr.close()
            self.assertEqual(run.wait(60), 3)
            self.assertLess(taken, 1 << 20)
            self.assertFalse(os.path.exists(self.path("z")))


class Mistakes(Cli):
    def test_a_file_that_is_not_there_leaves_no_store(self):
        self.peat("load", "s", "nosuchfile", code=2)
        self.assertIn("cannot read nosuchfile: No such file or directory; nothing was loaded", self.err)
        self.write("a", b"k\tv\n")
        os.mkdir(self.path("folder"))
        for name in ("nosuchfile", "folder"):
            self.peat("load", "s", "a", name, "a", code=2)
            self.assertIn("nothing was loaded", self.err)
        self.assertEqual(sorted(os.listdir(self.dir)), ["a", "folder"])

    def test_mistakes_alone_make_no_store(self):
        for words, text in ((["-k", "hex"], b"zz\tv\n"), (["-f", "jsonl"], b"{}\n"), ([], b"x\n"),
                            ([], b"k" * 70000 + b"\tv\n"), (["-f", "nul"], b"k")):
            self.peat("load", *words, "s", stdin=text, code=2)
            self.assertIn("nothing was loaded", self.err)
            self.assertEqual(os.listdir(self.dir), [])
        self.peat("load", "s", stdin=b"")
        self.assertEqual(self.peat("count", "s"), b"0\n")

    def test_a_mistake_in_a_later_file_tells_what_was_loaded(self):
        self.write("a", b"a\t1\nb\t2\n")
        self.write("bad", b"c\t3\nnothing here\n")
        self.peat("load", "s", "a", "bad", code=2)
        self.assertIn("bad, record 2 at byte 4: no separator between key and value; the 3 records before "
                      "are in the store", self.err)
        self.assertEqual(self.peat("count", "s"), b"3\n")

    def test_the_last_value_may_be_empty_and_lack_its_newline(self):
        self.peat("load", "-q", "s", stdin=b"a\t1\nb\t")
        self.assertEqual(self.peat("dump", "s"), b"a\t1\nb\t\n")

    def test_a_refused_number_is_told_what_is_allowed(self):
        for words, why in ((["scan", "-n", "x"], "--limit cannot be 'x': a whole number from 0 to 18446744073709551615"),
                           (["scan", "-n", "-1"], "--limit cannot be '-1': a whole number from 0 to"),
                           (["load", "-b", "2K"], "--batch cannot be '2K': a whole number from 1 to"),
                           (["get", "-w", "1s"], "--wait cannot be '1s': a number of seconds from 0 to 4294967.295"),
                           (["get", "-m", "lots"], "--memory cannot be 'lots': a whole number of bytes, or one with "
                                                   "K, M, G or T, like 64M; at least 1M")):
            self.peat(*words, "s", code=2)
            self.assertIn(why, self.err)

    def test_options_go_after_the_command(self):
        for words in (["-d", "s", "count"], ["--db=s", "count"], ["-q"]):
            self.peat(*words, code=2)
            self.assertIn(f"no command '{words[0]}'; options go after the command", self.err)

    def test_names_are_guessed(self):
        for words, guess in ((["laod", "s"], "'load'"), (["gte", "s"], "'get'"), (["ls"], None),
                             (["help", "comapct"], "'compact'"), (["expor"], "'export'")):
            self.peat(*words, code=2)
            self.assertEqual("did you mean" in self.err, guess is not None, self.err)
            self.assertIn(guess or "", self.err)


class Marks(Cli):
    def test_a_byte_order_mark_is_no_part_of_a_key(self):
        self.peat("load", "-q", "s", stdin=MARK + b"a\t1\nb\t2\n")
        self.peat("load", "-q", "-E", "s", stdin=MARK + b"c\t3\n")
        self.peat("load", "-q", "-k", "hex", "s", stdin=MARK + b"64\t4\n")
        self.peat("load", "-q", "-f", "jsonl", "s", stdin=MARK + b'{"key":"e","value":"5"}\n')
        self.write("f", MARK + b"f\t6\n")
        self.write("g", MARK + b"g\t7\n")
        self.peat("load", "-q", "s", "f", "g")
        self.assertEqual(self.peat("dump", "s"), b"a\t1\nb\t2\nc\t3\nd\t4\ne\t5\nf\t6\ng\t7\n")
        self.peat("load", "-q", "m", stdin=MARK)
        self.assertEqual(self.peat("count", "m"), b"0\n")

    def test_a_key_that_begins_with_one_survives(self):
        entries = [(MARK, b"1"), (MARK + b"x", b"2"), (MARK[:2], b"3"), (b"\xef", b"4")]
        for key, value in entries:
            self.store([(key, value)])
            want = self.peat("dump", "-k", "hex", "-v", "hex", "s")
            for words in ([], ["-j"], ["-f", "jsonl"], ["-f", "nul"]):
                self.peat("load", "-q", *words, "t", stdin=self.peat("dump", *words, "s"))
                self.assertEqual(self.peat("dump", "-k", "hex", "-v", "hex", "t"), want, words)
                shutil.rmtree(self.path("t"))
            if key.startswith(MARK):
                self.peat("dump", "-E", "s", code=2)
                self.assertIn("byte order mark", self.err)
            shutil.rmtree(self.path("s"))

    def test_json_lines_may_be_blank(self):
        self.peat("load", "-f", "jsonl", "s",
                  stdin=b'\n  \n{"key":"a","value":"1"}\n\r\n\t\n  {"key":"b","value":"2"}\r\n\n \n')
        self.assertEqual(self.peat("dump", "s"), b"a\t1\nb\t2\n")
        self.peat("load", "-f", "jsonl", "s", stdin=b'\n\n{"key":"c","value":"3"}\n\n{}\n', code=2)
        self.assertIn("record 5 at byte 27", self.err)  # the number of the line
        self.peat("load", "-q", "-f", "jsonl", "-F", "id", "k", stdin=b'\n\n  {"id":1}\n\n')
        self.assertEqual(self.peat("get", "k", "1"), b'  {"id":1}')  # the line as it stands

    def test_dump_json_is_load_json(self):
        self.store(any_bytes_entries())
        told = json.loads(self.peat("load", "-q", "-j", "t", stdin=self.peat("dump", "-j", "s")))
        self.assertEqual(told["records"], len(any_bytes_entries()))
        words = ["dump", "-k", "hex", "-v", "hex"]
        self.assertEqual(self.peat(*words, "t"), self.peat(*words, "s"))
        # and tsv is still read, also when a format is given
        self.assertEqual(json.loads(self.peat("load", "-qj", "u", stdin=b"a\t1\n"))["records"], 1)
        self.assertEqual(json.loads(self.peat("load", "-qj", "-f", "tsv", "u", stdin=b"{a\t1\n"))["records"], 1)
        self.assertEqual(json.loads(self.peat("load", "-qj", "-t", ";", "u", stdin=b"{b;1\n"))["records"], 1)
        self.assertEqual(self.peat("dump", "u"), b"a\t1\n{a\t1\n{b\t1\n")


class Separators(Cli):
    def test_every_separator_round_trips_or_is_refused_by_both_sides(self):
        """Keys and values of all bytes; and those that were met first."""
        self.peat("put", "-k", "hex", "s", "00ab", "")
        self.peat("dump", "-t", "a", "-k", "hex", "-v", "hex", "s", code=2)
        self.peat("load", "-t", "a", "-k", "hex", "-v", "hex", "t", stdin=b"00aba\n", code=2)
        shutil.rmtree(self.path("s"))
        entries = [(bytes([c]) + b"\x00" + bytes([c, c ^ 0x20]), bytes([c]) * 2 + b"\\") for c in range(256)]
        entries += [(b"", bytes(range(256)))]
        self.store(entries)
        want = self.peat("dump", "-k", "hex", "-v", "hex", "s")
        good = {}
        # tools/test_tool_records.c goes through all of them; here are the edges
        some = sorted(set(b"\x01\t\n\r !+,-./09:;=?@AFGZ[\\]`afgnrtxz{|~\x7f\x80\xc3\xff"))
        for key_format in ("text", "hex", "base64"):
            for c in some:
                # the value's format cannot matter: three in turn, and all of them over the bytes
                value_format = ("text", "hex", "base64")[c % 3]
                words = [os.fsencode(w) for w in ("-k", key_format, "-v", value_format, "-t")] + [bytes([c])]
                dump = subprocess.run([PEAT, "dump", *words, "s"], cwd=self.dir, env=self.env, capture_output=True)
                load = subprocess.run([PEAT, "load", "-q", *words, "t"], cwd=self.dir, env=self.env,
                                      input=dump.stdout, capture_output=True)
                if dump.returncode == 2:
                    self.assertEqual((load.returncode, dump.stdout), (2, b""), (key_format, c))
                    self.assertFalse(os.path.exists(self.path("t")))
                    continue
                self.assertEqual((dump.returncode, load.returncode), (0, 0), (key_format, c, load.stderr))
                self.assertEqual(self.peat("dump", "-k", "hex", "-v", "hex", "t"), want, (key_format, c))
                shutil.rmtree(self.path("t"))
                good[key_format] = good.get(key_format, 0) + 1
        used = {"text": b"\n\\09AFafnrtx", "hex": b"\n\\09AFaf", "base64": b"\n\\09AFGZafgnrtxz+/="}
        self.assertEqual(good, {name: len(some) - len(bad) for name, bad in used.items()})


if __name__ == "__main__":
    main()
