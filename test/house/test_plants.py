# SPDX-License-Identifier: MIT
"""Every planted bug of test/planted still applies and names tests that exist; that some test finds it
is for `make proof-planted` to show.

ctest: timeout=30
"""
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLANTED = os.path.join(ROOT, "test", "planted")
sys.dont_write_bytecode = True
sys.path.insert(0, PLANTED)
import plants  # noqa: E402

HEAD = "what: one is two\ntests: base/test_a.c\n"
CODE = "int one(void)\n{\n    return 1;\n}\n\nint first(void)\n{\n        return 1;\n}\n"


def edit(old, new, file="src/a.c"):
    return f"\nfile: {file}\n<<<<\n{old}====\n{new}>>>>\n"


class Plants(unittest.TestCase):
    def test_every_plant_applies_and_its_tests_exist(self):
        names = [name for name in os.listdir(PLANTED) if name.endswith(plants.SUFFIX)]
        self.assertGreater(len(names), 160)
        wrong = [line for name in sorted(names) for line in plants.problems(os.path.join(PLANTED, name), ROOT)]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_nothing_else_lies_among_them(self):
        # a plant of another name would be passed over in silence
        for name in os.listdir(PLANTED):
            if name not in ("README.md", "plants.py", "__pycache__"):
                self.assertRegex(name, r"^\d{2,3}-[a-z0-9-]+\.plant$")


class Check(unittest.TestCase):
    """Each thing that can be wrong with a plant is wrong once."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="peat-plants-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.write("src/a.c", CODE)
        self.write("test/base/test_a.c", "")

    def write(self, path, text):
        full = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8", newline="") as f:
            f.write(text)
        return full

    def problems(self, text):
        return plants.problems(self.write("07-bug.plant", text), self.dir)

    def expect(self, text, *parts):
        found = self.problems(text)
        self.assertEqual(len(found), 1, found)
        for part in ("07-bug: ", *parts):
            self.assertIn(part, found[0])

    def test_a_good_plant_has_no_problem(self):
        self.assertEqual(self.problems(HEAD + edit("    return 1;\n", "    return 2;\n")), [])

    def test_missing_text_is_found(self):
        self.expect(HEAD + edit("    return 3;\n", "    return 2;\n"), "src/a.c", "0 times", "return 3;")
        self.expect(HEAD + edit("   return 1;\n", ""), "src/a.c", "0 times")  # a blank less
        self.expect(HEAD + edit("return 1;\n", ""), "src/a.c", "0 times")  # the end of a line is no line

    def test_text_that_is_there_twice_is_found(self):
        self.expect(HEAD + edit("{\n", "{\n    return 2;\n"), "src/a.c", "2 times, not once")
        self.write("src/a.c", "x\nx\nx\n")
        self.expect(HEAD + edit("x\nx\n", "y\n"), "src/a.c", "2 times, not once")

    def test_unknown_file_and_unknown_test_are_found(self):
        self.expect(HEAD + edit("{\n", "", "src/b.c"), "src/b.c", "no such file")
        self.expect(HEAD.replace("_a.c", "_a.c base/test_b.c") + edit("    return 1;\n", ""), "no test base/test_b.c")

    def test_malformed_plants_are_found(self):
        good = HEAD + edit("    return 1;\n", "")
        for bad in (good.replace("what: ", ""), good.replace("tests: base/test_a.c", "tests: "), HEAD,
                    good.replace("====\n", ""), good.replace(">>>>\n", ""), good.replace("    return 1;\n", ""),
                    good + "more\n", good + "\n", good.replace("\nfile", "file")):
            with self.subTest(bad):
                self.expect(bad)
        self.expect(HEAD + edit("    return 1;\n", "    return 1;\n"), "src/a.c", "the new text is the old one")

    def run_it(self, text):
        path = self.write("07-bug.plant", text)
        done = subprocess.run([sys.executable, "-B", os.path.join(PLANTED, "plants.py"), self.dir, path],
                              capture_output=True, text=True, timeout=20)
        return done.returncode, done.stdout, done.stderr

    def test_edits_are_made_in_their_order_and_exactly(self):
        self.write("src/b.c", "\tb \r\n")
        status, out, _ = self.run_it(HEAD + edit("    return 1;\n", "    n++;\n    return 2;\n") +
                                     edit("    n++;\n", "") + edit("\tb \r\n", "b\n", "src/b.c"))
        self.assertEqual((status, out), (0, "src/a.c\nsrc/b.c\n"))
        expected = CODE.replace("    return 1;", "    return 2;", 1)
        self.assertEqual(plants.read(os.path.join(self.dir, "src/a.c")), expected)
        self.assertEqual(plants.read(os.path.join(self.dir, "src/b.c")), "b\n")

    def test_a_plant_of_which_a_part_does_not_apply_changes_nothing(self):
        status, out, said = self.run_it(HEAD + edit("    return 1;\n", "") + edit("    return 3;\n", ""))
        self.assertEqual((status, out), (1, ""))
        self.assertIn("07-bug: src/a.c: the old text occurs 0 times", said)
        self.assertEqual(plants.read(os.path.join(self.dir, "src/a.c")), CODE)


if __name__ == "__main__":
    unittest.main(buffer=True)
