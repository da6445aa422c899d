#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""What goes to a terminal: the bar, where it fits and where it stays away; bytes that drive nothing.

Usage: test_cli_terminal.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import tty

sys.dont_write_bytecode = True
from cli_support import PEAT, Cli, main  # noqa: E402


class Terminal:
    """A pseudo-terminal that keeps what it is sent."""

    def __init__(self, columns=80):
        self.ours, self.theirs = pty.openpty()
        tty.setraw(self.theirs)
        self.resize(columns)
        self.seen = bytearray()
        self.grew = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def resize(self, columns):
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self):
        while True:
            try:
                part = os.read(self.ours, 65536)
            except OSError:  # how a terminal says that its other side is closed
                part = b""
            with self.grew:
                self.seen += part
                self.grew.notify_all()
            if not part:
                return

    def wait_for(self, text, start=0):
        with self.grew:
            return self.grew.wait_for(lambda: self.seen.find(text, start) >= 0, 60)

    def close(self):
        os.close(self.theirs)
        self.reader.join()
        os.close(self.ours)
        return bytes(self.seen)


def frames(seen):
    """The lines that were drawn over one another, without the empty ones that take the bar off."""
    return [f for f in (part.removesuffix(b"\033[K") for part in seen.split(b"\r")) if f and b"\n" not in f]


class OnATerminal(Cli):
    def setUp(self):
        super().setUp()
        self.env["TERM"] = "xterm"
        try:
            for fd in pty.openpty():
                os.close(fd)
        except OSError as e:
            self.skipTest(f"no terminal to be had: {e}")

    def run_on(self, words, columns=80, stdin=None, stdout=None, out_on_it=False, code=0):
        """Runs with stderr, and stdout when out_on_it, on a terminal. Returns what that was sent."""
        terminal = Terminal(columns)
        run = subprocess.Popen([PEAT, *words], cwd=self.dir, env=self.env, stderr=terminal.theirs,
                               stdin=stdin if stdin is not None else subprocess.DEVNULL,
                               stdout=terminal.theirs if out_on_it else stdout or subprocess.DEVNULL)
        if stdout == subprocess.PIPE:
            self.out = run.stdout.read()
            run.stdout.close()
        self.assertEqual(run.wait(120), code)
        return terminal.close()

    def rows(self, count=20000):
        self.write("rows", b"".join(b"%06d\t%s\n" % (i, b"v" * 40) for i in range(count)))
        return "rows"


class Bars(OnATerminal):
    def expect_bar(self, seen, columns, bar=True):
        drawn = frames(seen)
        self.assertEqual(bool(drawn), bar, seen)
        for frame in drawn:
            self.assertLess(len(frame), columns, frame)

    def test_the_bar_fits_into_every_width(self):
        self.rows()
        for columns in (200, 80, 60, 40, 30, 20, 10, 5, 2):
            seen = self.run_on(["load", f"s{columns}", "rows"], columns)
            self.expect_bar(seen, columns)
            if columns >= 30:
                self.assertRegex(frames(seen)[0], rb"^load \[[=> ]+\] +\d+ %")
            self.assertIn(b"20,000 records", seen.split(b"\033[K")[-1])  # the bar is gone, the summary stays

    def test_a_new_size_of_the_window_counts_from_the_next_drawing_on(self):
        terminal = Terminal(100)
        loader = subprocess.Popen([PEAT, "load", "-b", "10", "s", "-"], cwd=self.dir, env=self.env, stderr=terminal.theirs,
                                  stdin=subprocess.PIPE)
        number = 0

        def feed_until(enough):
            nonlocal number
            for _ in range(20000):
                loader.stdin.write(b"".join(b"%08d\tv\n" % i for i in range(number, number + 100)))
                loader.stdin.flush()
                number += 100
                if enough():
                    return
            self.fail(f"nothing of the kind was drawn: {bytes(terminal.seen)!r}")
        feed_until(lambda: b"records" in terminal.seen)
        terminal.resize(12)
        at = len(terminal.seen)  # one drawing may be under way
        feed_until(lambda: terminal.seen.count(b"\r", at) >= 4)
        loader.stdin.close()
        self.assertEqual(loader.wait(60), 0)
        seen = terminal.close()
        self.expect_bar(seen[:at], 100)
        self.expect_bar(seen[at:].split(b"\r", 2)[2].split(b"\r\033[K")[0], 12)

    def test_long_commands_show_how_far_they_are(self):
        self.peat("load", "-q", "-c", "none", "s", self.rows(60000))
        with open(self.path("stream"), "wb") as out:
            seen = self.run_on(["export", "s"], stdout=out)
        self.expect_bar(seen, 80)
        self.assertRegex(frames(seen)[0], rb"^exporting \[[=> ]+\] +\d+ %  [\d.]+ [kM]?B, ")
        with open(self.path("stream"), "rb") as stream:
            seen = self.run_on(["import", "t"], stdin=stream)
        self.assertRegex(frames(seen)[0], rb"^import \[[=> ]+\] +\d+ %  [\d.]+ [kM]?B, ")
        stream = subprocess.Popen(["cat", "stream"], cwd=self.dir, stdout=subprocess.PIPE)
        seen = self.run_on(["import", "u"], stdin=stream.stdout)
        stream.stdout.close()
        self.assertEqual(stream.wait(), 0)
        self.assertRegex(frames(seen)[0], rb"^import  [\d.]+ [kM]?B, ")
        # between those that are there: a close merges at once what is mostly overwritten
        self.write("more", b"".join(b"%06d+\t%s\n" % (i, b"v" * 40) for i in range(60000)))
        self.peat("load", "-q", "-c", "none", "s", "more")
        seen = self.run_on(["compact", "s"])
        self.assertRegex(frames(seen)[0], rb"^compact \[[=> ]+\] +\d+ %")
        seen = self.run_on(["check", "s"])
        self.assertRegex(frames(seen)[0], rb"^checking \[[=> ]+\] +\d+ %")
        self.assertRegex(frames(self.run_on(["count", "s"]))[0], rb"^count \[[=> ]+\] +\d+ %")

    def test_nothing_is_drawn_where_the_output_or_a_person_is(self):
        self.peat("load", "-q", "s", self.rows())
        want = self.peat("dump", "s")
        seen = self.run_on(["dump", "s"], out_on_it=True)
        self.assertEqual(seen, want)
        for words in (["dump", "s"], ["scan", "s"], ["export", "s"]):
            seen = self.run_on(words, stdout=subprocess.PIPE)  # a pager's, perhaps
            self.assertNotIn(b"\r", seen)
            seen = self.run_on([*words, "--progress"], stdout=subprocess.PIPE)
            self.expect_bar(seen, 80)
            with open(self.path("file"), "wb") as out:
                self.expect_bar(self.run_on(words, stdout=out), 80)
        seen = self.run_on(["load", "-a", "-", "-b", "8000", "t", "rows"], out_on_it=True)
        self.assertTrue(seen.startswith(b"8000\n16000\n20000\npeat load: 20,000 records"), seen)
        self.assertEqual(self.run_on(["load", "-q", "u", "rows"]), b"")

    def test_a_person_who_types_records_is_not_drawn_over(self):
        terminal = Terminal()
        loader = subprocess.Popen([PEAT, "load", "-b", "1", "s"], cwd=self.dir, env=self.env,
                                  stdin=terminal.theirs, stderr=terminal.theirs, stdout=subprocess.DEVNULL)
        os.write(terminal.ours, b"a\t1\nb\t2\nno separator\n" + b"x" * 70000)
        self.assertEqual(loader.wait(60), 2)
        self.assertEqual(frames(terminal.close().split(b"peat load")[0]), [])

    def test_a_terminal_that_cannot_draw_gets_no_escapes(self):
        self.rows()
        for i, term in enumerate(("dumb", "", None)):
            self.env.pop("TERM", None)
            if term is not None:
                self.env["TERM"] = term
            seen = self.run_on(["load", f"s{i}", "rows"])
            self.assertRegex(seen, rb"^peat load: 20,000 records[^\r\033]*\n$")

    def test_a_message_never_stands_behind_a_bar(self):
        self.write("bad", b"".join(b"%06d\tv\n" % i for i in range(20000)) + b"nothing\n")
        seen = self.run_on(["load", "s", "bad"], code=2)
        self.assertIn(b"\r\033[Kpeat load: bad, record 20001 at byte 180000", seen)


class Bytes(OnATerminal):
    def test_a_value_drives_no_terminal_unless_asked_to(self):
        value = b"two\nlines\twith \x1b]0;title\x07 \x9b1m \xc2\x9b \xc3\xa4 \r \x7f \xff \\"
        self.peat("put", "-i", "-", "s", "k", stdin=value)
        shown = (b"two\nlines\twith \\x1b]0;title\\x07 \\x9b1m \\xc2\\x9b \xc3\xa4 \\x0d \\x7f \\xff \\")
        self.assertEqual(self.run_on(["get", "s", "k"], out_on_it=True), shown + b"\n")
        self.assertEqual(self.run_on(["get", "-N", "s", "k"], out_on_it=True), shown)
        self.assertEqual(self.run_on(["get", "--raw", "s", "k"], out_on_it=True), value + b"\n")
        self.assertEqual(self.run_on(["get", "--raw", "-N", "s", "k"], out_on_it=True), value)
        self.run_on(["get", "s", "k"], stdout=subprocess.PIPE)
        self.assertEqual(self.out, value)

    def test_records_drive_no_terminal_in_any_format(self):
        self.store([(bytes([c]) + b"\xc2\x9b", bytes([c]) + b"\x9b") for c in range(256)])
        for words in (["dump"], ["scan"], ["dump", "-E", "-k", "hex"], ["dump", "-f", "nul", "-l", "01"],
                      ["dump", "-f", "jsonl"], ["scan", "-j"], ["info"], ["stats"]):
            # without escapes the record with a newline is refused, behind ten others
            seen = self.run_on([*words, "s"], out_on_it=True, code=2 if "-E" in words else 0)
            text = seen.decode("utf-8")  # nothing that is not UTF-8
            self.assertFalse([c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160], words)

    def test_what_a_terminal_is_shown_of_a_dump_can_still_be_loaded(self):
        self.store([(bytes([c]) + b"\xc2\x9b", bytes([c]) + b"\x9b") for c in range(256)])
        seen = self.run_on(["dump", "s"], out_on_it=True)
        self.peat("load", "-q", "t", stdin=seen)
        words = ["dump", "-k", "hex", "-v", "hex"]
        self.assertEqual(self.peat(*words, "t"), self.peat(*words, "s"))

    def test_messages_stay_one_line(self):
        seen = self.run_on(["get", "a\nb\033[1m\xc2\x9b", "k"], code=3)
        self.assertEqual(seen.count(b"\n"), 1)
        self.assertNotIn(b"\033", seen)
        self.assertIn(b"a\\x0ab\\x1b[1m", seen)


if __name__ == "__main__":
    main()
