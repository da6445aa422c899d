# SPDX-License-Identifier: MIT
"""README.md tells the truth: its program compiles and prints what it says, its commands run, its
figures are those of doc/bench.md, and every document can be found from doc/README.md.

ctest: timeout=120
"""
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "scripts"))
sys.path.insert(0, os.path.join(ROOT, "test", "header"))
from lintlib.tree import Tree  # noqa: E402
from toolchain import CC, FLAGS, LIB  # noqa: E402

BIN = os.path.abspath(os.environ.get("PEAT_BIN") or os.path.join(LIB, "peat"))
WARNINGS = "-std=c99 -pedantic -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Werror"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def blocks(section, language):
    """The fenced blocks of a section of README.md."""
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", read("README.md"), re.M | re.S).group(1)
    return [body for kind, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S) if kind == language]


class Readme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="peat-readme-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name

    def run_it(self, command, **more):
        done = subprocess.run(command, cwd=self.dir, capture_output=True, text=True, timeout=100, **more)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_program_prints_what_the_text_says(self):
        (program,), (expected,) = blocks("A program", "c"), blocks("A program", "")
        with open(os.path.join(self.dir, "program.c"), "w", encoding="utf-8") as f:
            f.write(program)
        flags = WARNINGS + " " + FLAGS
        self.run_it([CC, *shlex.split(flags), "-I" + os.path.join(ROOT, "include"),
                     "program.c", "-o", "program", "-L" + LIB, "-Wl,-rpath," + LIB, "-lpeat"])
        for _ in range(2):  # the second time the store is there
            self.assertEqual(self.run_it(["./program"]), expected)
        self.assertLessEqual(len(program.splitlines()), 25)

    def test_ten_commands_run(self):
        (commands,) = blocks("The command", "sh")
        self.assertEqual(len(commands.splitlines()), 10)
        script = f"set -euo pipefail\npeat() {{ {shlex.quote(BIN)} \"$@\"; }}\n" + commands
        out = self.run_it(["bash", "-c", script])
        self.assertTrue(out.startswith("redpear\tgreen\nplum\tblue\n2\n"), out)
        with open(os.path.join(self.dir, "fruit.tsv"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "pear\tgreen\nplum\tblue\n")
        self.assertEqual(self.run_it([BIN, "dump", "-q", "copy.peat"]), "pear\tgreen\nplum\tblue\n")

    def test_make_targets_exist(self):
        targets = set(re.findall(r"^([\w-]+):", read("Makefile"), re.M))
        targets |= {"proof-" + name[:-3] for name in os.listdir(os.path.join(ROOT, "test/proof"))}
        text = read("README.md") + read("doc/contributing.md")
        named = set(re.findall(r"(?:^|`)make ([\w-]+)", text, re.M))
        self.assertTrue({"demo", "test", "bench", "install"} <= named)
        self.assertEqual(named - targets, set())

    def test_number_of_options(self):
        fields = re.search(r"^struct peat_options \{\n(.*?)^\};", read("include/peat.h"), re.M | re.S).group(1)
        count = len(re.findall(r"^    [\w ]+\*? ?\*?\w+;", fields, re.M)) - 2  # not size, not test
        words = {9: "nine", 10: "ten", 11: "eleven", 12: "twelve"}
        said = re.search(r"There are (\w+); `peat_open", read("README.md")).group(1)
        self.assertEqual(said, words[count])

    def test_every_document_is_in_the_index(self):
        index = set()
        for link in re.findall(r"\]\(([^)#]+)\)", read("doc/README.md")):
            index.add(os.path.normpath(os.path.join("doc", link)))
        for path in Tree(ROOT).paths:
            if path.endswith(".md") and path != "doc/README.md" and not path.startswith("doc/decisions/"):
                self.assertIn(path, index)

    def test_figures_are_those_of_the_benchmark(self):
        script = os.path.join(ROOT, "scripts", "readme-figures.py")
        self.run_it([sys.executable, "-B", script, "--check"])
        spec = importlib.util.spec_from_file_location("figures", script)
        figures = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(figures)
        bench = ("# Figures\n\nSome machine.\n\n<!-- tables: so -->\n<!-- table standard -->\nOn that one,\nonce:\n\n"
                 "| a | b |\n|---|---|\n| 1 | 2 |\n<!-- end of tables -->\n\n| x | y |\n|---|---|\n| 3 | 4 |\n")
        shown = figures.updated(read("README.md"), bench)
        self.assertIn("-->\nOn that one,\nonce:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nMore", shown)
        self.assertNotIn("| 3 |", shown)
        self.assertEqual(figures.updated(shown, None), figures.updated(read("README.md"), None))
        self.figures_come_from_what_was_measured(figures, bench)

    def figures_come_from_what_was_measured(self, figures, bench):
        run = {"engine": "peat", "workload": "readrandom", "memory_mib": 256, "records": 5000, "p50_us": 1.25,
               "p99_us": 12.5, "p999_us": 125.0, "max_us": 1250.4}
        pair = {"compare": "peat", "with": "lmdb", "workload": "seekrandom10", "rounds": 3, "ops_per_s": 1.3e6,
                "with_ops_per_s": 52000, "ratio": 25.04, "ratio_low": 0.9, "ratio_high": 101.2}
        for name, rows in (("latency.all", [run, {**run, "p50_us": 1.75, "max_us": 3000}, pair]),
                           ("defaults.all", [run, pair, {**pair, "with": "rocksdb", "ratio": 2}]),
                           ("standard.lmdb-seeks", [run, pair])):
            with open(os.path.join(self.dir, name + ".jsonl"), "w", encoding="utf-8") as f:
                f.write("".join(json.dumps(row) + "\n" for row in rows))
        text = figures.with_tables(bench, figures.made(self.dir))
        self.assertIn("| get | Peat | 1.50 | 12.5 | 125 | 3,000 |\n", text)
        self.assertIn("| seek + 10 | 1.30 M | 25.0 (0.90–101) | 2.00 (0.90–101) |\n", text)
        self.assertIn("| seek + 10 | 1.30 M | 52.0 k | 25.0 (0.90–101) |  |  |\n", text)
        order = [text.index(f"<!-- table {name} -->") for name in ("defaults", "standard", "latency")]
        self.assertEqual(order, sorted(order))
        self.assertNotIn("| 1 | 2 |", text)   # the old table of that name
        self.assertIn("| 3 | 4 |", text)      # no table of these
        self.assertEqual(text, figures.with_tables(text, figures.made(self.dir)))

    def test_a_new_store_takes_what_the_text_says(self):
        self.assertIn("three at rest", read("README.md"))
        with open(os.path.join(self.dir, "program.c"), "w", encoding="utf-8") as f:
            f.write("""#include <peat.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    peat_db *db = NULL;
    char command[64];
    snprintf(command, sizeof command, "ls -l /proc/%d/fd; cat /proc/%d/status", (int)getpid(), (int)getpid());
    if (peat_open("new", NULL, &db, NULL) != PEAT_OK || peat_put(db, NULL, peat_str("k"), peat_str("v")) != PEAT_OK)
        return 1;
    int status = system(command);
    return peat_close(db) != PEAT_OK || status != 0;
}
""")
        self.run_it([CC, "-std=gnu11", *shlex.split(FLAGS), "-I" + os.path.join(ROOT, "include"),
                     "program.c", "-o", "program", "-L" + LIB, "-Wl,-rpath," + LIB, "-lpeat"])
        out = self.run_it(["./program"])
        files = [line for line in out.splitlines() if " -> " + os.path.realpath(self.dir) + "/new" in line]
        self.assertLessEqual(len(files), 5, out)
        self.assertEqual(re.search(r"^Threads:\s*(\d+)", out, re.M).group(1), "2", out)  # the program's, the store's
        if not FLAGS:
            self.assertLess(int(re.search(r"^RssAnon:\s*(\d+)", out, re.M).group(1)), 8 * 1024, out)
        blocks_used = sum(os.stat(os.path.join(self.dir, "new", name)).st_blocks * 512 for name in os.listdir(os.path.join(self.dir, "new")))
        self.assertLessEqual(blocks_used, 320 * 1024)


if __name__ == "__main__":
    unittest.main(buffer=True)
