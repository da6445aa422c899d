#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""SIGINT and SIGTERM end a command whatever it is blocked in, and its store is free afterwards.

Usage: test_cli_signal.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import array
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time

sys.dont_write_bytecode = True
from cli_support import PEAT, Cli, main  # noqa: E402

BOTH = (signal.SIGTERM, signal.SIGINT)


class Signals(Cli):
    def start(self, *words, **more):
        return subprocess.Popen([PEAT, *words], cwd=self.dir, env=self.env, stderr=subprocess.PIPE, **more)

    def sleeps(self, run):
        """Waits until the main thread is blocked, and has its handlers."""
        for _ in range(2000):
            with open(f"/proc/{run.pid}/status", encoding="ascii") as f:
                rows = dict(row.split(":", 1) for row in f)
            if int(rows["SigCgt"], 16) & 1 << (signal.SIGTERM - 1) and rows["State"].split()[0] == "S":
                return
            time.sleep(0.01)
        self.fail("it does not block")

    def is_full(self, pipe, size):
        have = array.array("i", [0])
        for _ in range(2000):
            fcntl.ioctl(pipe, termios.FIONREAD, have)
            if have[0] >= size:
                return
            time.sleep(0.01)
        self.fail(f"{have[0]} bytes in the pipe")

    def ended(self, run, number):
        run.send_signal(number)
        try:
            code = run.wait(20)
        except subprocess.TimeoutExpired:
            run.kill()
            code = run.wait()
        self.assertEqual(code, 128 + number)
        told = run.stderr.read()
        run.stderr.close()
        return told

    def test_a_pipe_that_nobody_reads(self):
        self.peat("load", "-q", "s", stdin=b"".join(b"%06d\t%s\n" % (i, b"v" * 100) for i in range(20000)))
        self.peat("put", "s", "big", "--value-file", "-", stdin=b"b" * (1 << 20))
        self.write("few", b"x\t1\n" * 1000)
        for number in BOTH:
            for words in (["dump"], ["scan", "-r"], ["scan", "-j", "-K"], ["export"], ["get"], ["stats"]):
                with self.subTest(words=words, number=number):
                    ours, theirs = os.pipe()
                    size = fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
                    if words == ["stats"]:  # little to say, so there is no room for it
                        os.write(theirs, b"x" * size)
                    run = self.start(*words, "s", *(["big"] if words == ["get"] else []), stdout=theirs)
                    os.close(theirs)
                    self.is_full(ours, size)
                    self.sleeps(run)
                    self.assertEqual(self.ended(run, number), b"")
                    self.assertEqual(self.peat("put", "s", "a", "1"), b"")  # the lock is gone
                    os.close(ours)

    def test_acknowledgements_that_nobody_reads(self):
        for number in BOTH:
            ours, theirs = os.pipe()
            os.write(theirs, b"x" * fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096))
            self.write("few", b"x\t1\n")
            run = self.start("load", "-a", "-", "s", "few", stdout=theirs)
            os.close(theirs)
            while not os.path.exists(self.path("s")):
                time.sleep(0.01)
            self.sleeps(run)
            self.ended(run, number)
            self.assertEqual(self.peat("count", "s"), b"1\n")
            os.close(ours)

    def test_a_fifo_whose_other_end_nobody_opens(self):
        os.mkfifo(self.path("ff"))
        self.write("few", b"x\t1\n")
        os.mkdir(self.path("pages"))
        os.mkfifo(self.path("pages/peat.1"))
        for number in BOTH:
            for words in (["load", "s", "ff"], ["load", "s", "few", "ff"], ["put", "-i", "ff", "s", "k"],
                          ["load", "-a", "ff", "s", "few"], ["help", "--write", "pages"]):
                with self.subTest(words=words, number=number):
                    run = self.start(*words, stdout=subprocess.DEVNULL)
                    self.sleeps(run)
                    self.assertNotIn(b"Interrupted", self.ended(run, number))

    def test_a_signal_just_before_the_block_is_not_lost(self):
        """At any moment of the command, many times."""
        self.peat("load", "-q", "s", stdin=b"".join(b"%06d\t%s\n" % (i, b"v" * 100) for i in range(2000)))
        for i in range(60):
            ours, theirs = os.pipe()
            run = self.start("dump", "s", stdout=theirs)
            os.close(theirs)
            time.sleep(i * 0.0005)
            run.send_signal(signal.SIGTERM)
            self.assertIn(run.wait(30), (143, -signal.SIGTERM))  # before its handler is there
            run.stderr.close()
            os.close(ours)


if __name__ == "__main__":
    main()
