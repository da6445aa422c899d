#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""The peat command as a user meets it: every command, format and exit code.

Usage: test_cli.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import base64
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

PEAT = os.path.abspath(os.environ.get("PEAT_BIN") or "build/peat")
SEED = int(os.environ.get("PEAT_SEED", "7"))
FORMATS = ("tsv", "jsonl", "nul")


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


class Points(Cli):
    def test_put_get_del_and_their_exit_codes(self):
        self.peat("put", "s", "bog", "wet ground")
        self.assertEqual(self.peat("get", "s", "bog"), b"wet ground\n")
        self.assertEqual(self.peat("get", "-N", "s", "bog"), b"wet ground")
        self.assertEqual(json.loads(self.peat("get", "--json", "s", "bog")),
                         {"key": "bog", "value": "wet ground"})
        self.assertEqual(self.peat("get", "s", "fen", code=1), b"")
        self.peat("put", "s", "bog", "")
        self.assertEqual(self.peat("get", "s", "bog"), b"\n")
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
        self.assertEqual(self.peat("get", "s", "--", "-k"), b"-5\n")
        self.peat("put", "s", "temperature", "-5", code=2)
        self.assertIn("--", self.err)

    def test_a_key_that_is_too_long(self):
        self.peat("put", "s", "k" * 65535, "v")
        self.peat("put", "s", "k" * 65536, "v", code=2)
        self.assertEqual(self.peat("count", "s"), b"1\n")

    def test_peat_db_names_the_store(self):
        self.peat("put", "s", "a", "1")
        self.env["PEAT_DB"] = "s"
        self.assertEqual(self.peat("get", "a"), b"1\n")
        self.peat("put", "b", "2")
        self.assertEqual(self.peat("dump"), b"a\t1\nb\t2\n")
        self.peat("put", "--db", "t", "c", "3")
        self.assertEqual(self.peat("dump", "t"), b"c\t3\n")


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
        self.assertEqual(self.peat("get", "j", "7"), b'{"id":7,"n":1}\n')
        self.peat("load", "-q", "-f", "nul", "n", stdin=b"k\0line\nline\0")
        self.assertEqual(self.peat("get", "n", "k"), b"line\nline\n")
        self.peat("load", "-q", "-E", "e", stdin=b"sys\\x2d\tv\\\n")
        self.assertEqual(self.peat("dump", "-E", "e"), b"sys\\x2d\tv\\\n")
        summary = json.loads(self.peat("load", "-q", "--json", "s", "two", "-t", ";"))
        self.assertEqual((summary["records"], summary["bytes"]), (1, 2))

    def test_bad_input_names_the_record_and_keeps_those_before(self):
        self.peat("load", "s", stdin=b"a\t1\nb\t2\nno separator\nc\t3\n", code=2)
        self.assertIn("standard input, record 3", self.err)
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


class Upkeep(Cli):
    def test_stats_draw_and_tell(self):
        self.store([(b"%06d" % i, b"v" * 50) for i in range(5000)])
        self.peat("compact", "s")
        text = self.peat("stats", "s").decode()
        for word in ("Layers", "Partitions", "bottom", "entries"):
            self.assertIn(word, text)
        told = json.loads(self.peat("stats", "--json", "s"))
        self.assertEqual(told["stats"]["partitions"], len(told["partitions"]))
        self.assertEqual(sum(p["entries"] for p in told["partitions"]), 5000)
        self.assertGreater(told["stats"]["bottom_bytes"], 0)

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
        holder.stdout.close()
        self.assertEqual(holder.wait(60), 0)
        self.assertEqual(self.peat("get", "s", "b"), b"2\n")

    def test_usage_errors(self):
        for words in ([], ["frob"], ["get"], ["get", "s"], ["get", "s", "a", "b"],
                      ["scan", "--limit", "many", "s"], ["load", "-f", "xml", "s"],
                      ["load", "-t", "ab", "s"], ["scan", "-K", "-V", "s"], ["help", "frob"],
                      ["load", "--batch", "0", "s"], ["put", "", "a", "b"]):
            self.peat(*words, code=2)


class Help(Cli):
    def commands(self):
        rows = self.peat("help").decode().split("Commands:\n")[1].split("\n\n")[0].splitlines()
        return [row.split()[0] for row in rows]

    def test_every_command_explains_itself(self):
        self.assertEqual(self.peat("--help"), self.peat("help"))
        self.assertGreaterEqual(len(self.commands()), 14)
        for command in self.commands():
            text = self.peat("help", command)
            self.assertEqual(self.peat(command, "--help"), text)
            self.assertTrue(text.startswith(b"Usage: peat " + command.encode()), text)
            self.assertTrue(all(len(row) <= 79 for row in text.decode().splitlines()), text)
        self.assertEqual(self.peat("--version"), self.peat("version"))
        self.assertIn("library", json.loads(self.peat("version", "--json")))

    def test_manual_pages_and_completion_name_every_option(self):
        os.mkdir(self.path("docs"))
        self.peat("help", "--write", "docs")
        pages = sorted(os.listdir(self.path("docs")))
        self.assertEqual(pages, sorted(["peat.1", "peat.bash"] + [f"peat-{c}.1" for c in self.commands()]))
        with open(self.path("docs/peat.bash"), encoding="utf-8") as f:
            completion = f.read()
        for command in self.commands():
            options = {word.strip(",") for word in self.peat("help", command).decode().split("Options:")[1]
                       .split("Examples:")[0].split() if word.startswith("--")}
            self.assertIn("--help", options)
            with open(self.path(f"docs/peat-{command}.1"), encoding="utf-8") as f:
                page = f.read().replace("\\-", "-")
            for option in options:
                self.assertIn(f"\\fB{option}\\fR", page)
                self.assertTrue(command == "help" or option in completion, option)
        self.assertEqual(subprocess.run(["bash", "-n", self.path("docs/peat.bash")]).returncode, 0)

    def test_completion_completes(self):
        def complete(*words):
            script = ('source /dev/stdin; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _peat; '
                      'printf "%s\\n" "${COMPREPLY[@]}"')
            run = subprocess.run(["bash", "-c", script, "bash", *words], cwd=self.dir,
                                 input=self.peat("help", "--completion"), capture_output=True)
            self.assertEqual(run.stderr, b"")
            return run.stdout.decode().split()
        self.assertEqual(complete("peat", "co"), ["count", "compact"])
        self.assertEqual(complete("peat", "scan", "--pre"), ["--prefix"])
        self.assertEqual(complete("peat", "load", "-f", ""), ["tsv", "jsonl", "nul"])
        self.write("words.tsv", b"")
        self.assertEqual(complete("peat", "load", "wor"), ["words.tsv"])


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        PEAT = os.path.abspath(sys.argv.pop(1))
    if not os.access(PEAT, os.X_OK):
        sys.exit(f"no command at {PEAT}: build first, or name it")
    print(f"seed {SEED}: rerun with PEAT_SEED={SEED} {sys.argv[0]} {PEAT}")
    unittest.main(verbosity=1)
