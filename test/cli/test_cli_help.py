#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# ctest: timeout=300
"""Help, manual pages and completion, all from one table.

Usage: test_cli_help.py [PEAT]        PEAT_BIN names the binary otherwise
"""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from cli_support import Cli, main  # noqa: E402


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
    main()
