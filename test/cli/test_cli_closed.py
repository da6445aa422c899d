# SPDX-License-Identifier: MIT
"""The command started with standard descriptors closed: what it opens never takes their numbers, so
no message of its own goes into a file.

ctest: timeout=60
"""
import itertools
import subprocess
import unittest

from cli_support import PEAT, Cli, main

CLOSED = [combination for n in (1, 2, 3) for combination in itertools.combinations((0, 1, 2), n)]


class Closed(Cli):
    def run_closed(self, closed, *words):
        """The exit code; what is open still is the null device."""
        redirect = " ".join(f"{fd}{'<' if fd == 0 else '>'}" + ("&-" if fd in closed else "/dev/null")
                            for fd in (0, 1, 2))
        quoted = " ".join(f"'{word}'" for word in (PEAT,) + words)
        return subprocess.run(["sh", "-c", f"exec {quoted} {redirect}"], cwd=self.dir, env=self.env,
                              timeout=60).returncode

    def test_a_write_with_closed_descriptors_is_stored(self):
        for i, closed in enumerate(CLOSED):
            self.assertEqual(self.run_closed(closed, "put", "s", f"k{i}", "v"), 0, closed)
        self.assertEqual(self.peat("count", "s"), b"%d\n" % len(CLOSED))
        self.peat("check", "s")

    def test_reading_with_a_closed_output_fails_and_leaves_the_store_alone(self):
        self.store([(b"a", b"1"), (b"b", b"2")])
        for closed in CLOSED:
            for words in (("dump", "s"), ("get", "s", "a"), ("export", "s"), ("check", "s")):
                with self.subTest(closed=closed, words=words):
                    self.assertEqual(self.run_closed(closed, *words), 3 if 1 in closed else 0)
        self.assertEqual(self.peat("dump", "s"), b"a\t1\nb\t2\n")
        self.peat("check", "s")

    def test_reading_a_closed_input_is_an_error_and_not_the_store(self):
        for closed in CLOSED:
            if 0 in closed:
                self.assertEqual(self.run_closed(closed, "load", "s", "-"), 2, closed)
        self.peat("count", "s", code=3)  # nothing was read, so that there is no store

    def test_files_that_are_named_get_no_messages(self):
        self.write("rows", b"a\t1\nb\t2\nno separator\n")
        for closed in CLOSED:
            with self.subTest(closed=closed):
                self.assertEqual(self.run_closed(closed, "load", "--ack", "acks", "s", "rows"), 2)
                with open(self.path("acks"), "rb") as acks:
                    self.assertRegex(acks.read(), rb"^([0-9]+\n)*$")
                with open(self.path("rows"), "rb") as rows:
                    self.assertEqual(rows.read(), b"a\t1\nb\t2\nno separator\n")


if __name__ == "__main__":
    main()
