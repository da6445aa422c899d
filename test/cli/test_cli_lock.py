#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""Waiting for a store that others have open, signals, and what is told about paths.

Usage: test_cli_lock.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
from cli_support import PEAT, Cli, main  # noqa: E402


class Waits(Cli):
    def start(self, *words, **more):
        return subprocess.Popen([PEAT, *words], cwd=self.dir, env=self.env, stderr=subprocess.PIPE, **more)

    def hold(self):
        """A process that has the store s open until its input ends."""
        holder = self.start("load", "-q", "-b", "1", "-a", "-", "s", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        holder.stdin.write(b"a\t1\nb\t2\n")
        holder.stdin.flush()
        self.assertEqual(holder.stdout.readline(), b"1\n")
        return holder

    def let_go(self, holder):
        holder.stdin.close()
        self.assertEqual(holder.wait(60), 0)
        holder.stdout.close()
        holder.stderr.close()

    def test_twenty_that_put_at_once_all_succeed(self):
        puts = [self.start("put", "--wait", "100", "s", f"k{i:02}", "v") for i in range(20)]
        for put in puts:
            self.assertEqual((put.stderr.read(), put.wait(120)), (b"", 0))
            put.stderr.close()
        self.assertEqual(self.peat("count", "s"), b"20\n")

    def test_every_command_waits_that_needs_the_store(self):
        for words in (["get", "s", "a"], ["put", "s", "c", "3"], ["del", "s", "c"], ["scan", "s"], ["count", "s"],
                      ["dump", "s"], ["stats", "s"], ["info", "s"], ["check", "s"], ["compact", "s"],
                      ["export", "s"], ["load", "s", "rows"], ["repair", "s", "new"]):
            self.write("rows", b"c\t3\n")
            holder = self.hold()
            self.peat(*words, code=3)
            self.assertIn(f"is open in process {holder.pid}", self.err)
            self.assertIn("(--wait SECONDS)", self.err)
            self.peat(*words, "--wait", "0.2", code=3)
            self.assertIn(f"is open in process {holder.pid}", self.err)
            self.assertIn("; waited 0.2 s for it", self.err)
            self.assertNotIn("--wait", self.err)
            waiter = self.start(*words, "--wait", "100", stdout=subprocess.DEVNULL)
            self.let_go(holder)
            self.assertEqual(waiter.wait(60), 0, words)
            waiter.stderr.close()

    def test_import_waits_for_whoever_has_the_store(self):
        holder = self.hold()
        self.peat("import", "s", code=3)
        self.assertIn("(--wait SECONDS)", self.err)
        self.peat("import", "--wait", "0.2", "s", code=3)
        self.assertIn("; waited 0.2 s for it", self.err)
        waiter = self.start("import", "--wait", "100", "s", stdin=subprocess.DEVNULL)
        self.let_go(holder)
        self.assertEqual(waiter.wait(60), 3)
        self.assertIn(b"a store is already here; name a new directory", waiter.stderr.read())
        waiter.stderr.close()

    def test_a_signal_ends_the_wait(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            holder = self.hold()
            words = [["put", "s", "c", "3"], ["repair", "s", "new"]][number == signal.SIGINT]
            waiter = self.start(*words, "--wait", "1000")
            while True:  # until its own handler is there: before that a signal kills it
                with open(f"/proc/{waiter.pid}/status", encoding="ascii") as status:
                    caught = next(int(row.split()[1], 16) for row in status if row.startswith("SigCgt"))
                if caught & 1 << (number - 1):
                    break
            waiter.send_signal(number)
            self.assertEqual(waiter.wait(60), 128 + number)
            waiter.stderr.close()
            self.let_go(holder)
            self.peat("get", "s", "c", code=1)

    def test_sigterm_ends_a_load_with_its_own_code(self):
        holder = self.hold()
        holder.send_signal(signal.SIGTERM)
        self.assertEqual(holder.wait(60), 143)
        holder.stdin.close()
        holder.stdout.close()
        holder.stderr.close()
        self.assertEqual(self.peat("get", "s", "a"), b"1")

    def test_a_path_is_told_once_on_one_line_and_keeps_the_cause(self):
        deep = "/".join(["d" * 200] * 5)
        os.makedirs(self.path(deep))
        self.write("file", b"")
        for path, why in ((deep + "/absent/s", "the directory that is to hold the store does not exist"),
                          (deep + "/n\nl/s", "the directory that is to hold the store does not exist"),
                          ("absent/s", "the directory that is to hold the store does not exist"),
                          ("file/s", "not a directory"), ("file", "not a directory")):
            for words in (["put", path, "k", "v"], ["load", path], ["import", path]):
                self.peat(*words, stdin=b"k\tv\n" if words[0] == "load" else b"", code=3)
                self.assertIn(why, self.err)
                self.assertEqual(self.err.count(path[-4:].replace("\n", "\\x0a")), 1, self.err)
        self.store([(b"a", b"1")])
        with open(self.path("s/PEAT"), "r+b") as f:
            f.write(bytes(8192))
        os.rename(self.path("s"), self.path(deep + "/s"))
        self.peat("get", deep + "/s", "a", code=3)
        self.assertIn("ddd/s: ", self.err)
        self.assertIn("PEAT", self.err)


if __name__ == "__main__":
    main()
