# SPDX-License-Identifier: MIT
"""The call lists of src/README.md are true: each function is in its file, and is called by the step
above it. From put to the log and from get to a block it is not far.

ctest: timeout=30
"""
import os
import re
import unittest

SRC = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "src")
STEP = re.compile(r"^( *)(\w+)(?: by (\w+)| (\.\.\.))?(?:  +(\S+\.[ch])(?:  +.*)?)$")
DEFINITION = r"^(?:[\w*]+ )+\*?%s\([^;{]*\)\n\{\n(.*?)^\}\n"
FLOWS = {"Put", "Get", "A get through a queue", "Multi-get", "Scan", "Flush and compact", "Recover"}


def read(path):
    with open(os.path.join(SRC, path), encoding="utf-8") as f:
        return f.read()


def body(file, name):
    """The body of a function defined in the file, or None."""
    found = re.search(DEFINITION % re.escape(name), file, re.M | re.S)
    return found.group(1) if found else None


def check_flow(lines, files):
    """Problems of one call list; files(path) gives the text of a file. Also the steps with callers."""
    problems, stack, steps = [], [], []
    for line in lines:
        m = STEP.match(line)
        if not m:
            problems.append(f"not a step: {line!r}")
            continue
        indent, name, member, loose, path = len(m[1]), m[2], m[3], m[4], m[5]
        here = body(files(path), name)
        if here is None:
            problems.append(f"{path} does not define {name}")
            here = ""
        while stack and stack[-1][0] >= indent:
            stack.pop()
        if stack and not loose:
            called = rf"(?:->|\.){member}\b" if member else rf"\b{name}\b"
            if not any(re.search(called, text) for text in stack[-1][3]):
                problems.append(f"{stack[-1][1]} does not call {name}")
        if stack and loose and not re.search(rf"\b{name}\b", stack[-1][3][0]):
            # "..." leaves a helper of the caller's file out
            if not re.search(rf"\b{name}\b", files(stack[-1][2])):
                problems.append(f"{stack[-1][2]} does not call {name}")
        # what stands behind a "..." may be called by a helper in its file
        stack.append((indent, name, path, [here] + ([files(path)] if loose else [])))
        steps.append((name, [s[2] for s in stack]))
    return problems, steps


def flows():
    found = {}
    for title, block in re.findall(r"^### ([^\n]+)\n(?:(?!^###).)*?```flow\n(.*?)```", read("README.md"), re.M | re.S):
        found[title] = block.splitlines()
    return found


def hops(paths):
    """How often the reader turns to another file on the way down."""
    return sum(a != b for a, b in zip(paths, paths[1:]))


def calls(lines, name):
    """The functions on the way down to the first step of that name, each called by the one before;
    None if a helper is left out on it."""
    way = []
    for line in lines:
        m = STEP.match(line)
        while way and way[-1][0] >= len(m[1]):
            way.pop()
        way.append((len(m[1]), m[2], m[4]))
        if m[2] == name:
            return None if any(loose for _, _, loose in way) else [step for _, step, _ in way]
    return None


class Flows(unittest.TestCase):
    def test_flows_are_true(self):
        self.assertEqual(set(flows()), FLOWS)
        for title, lines in flows().items():
            with self.subTest(title):
                self.assertGreater(len(lines), 10)
                self.assertEqual(check_flow(lines, read)[0], [])

    def test_put_reaches_the_log_in_five_calls(self):
        # the record lies in the ring, and the system has its bytes
        for name in ("append_ring", "pt_log_write_at"):
            way = calls(flows()["Put"], name)
            self.assertIsNotNone(way, f"{name}: a step on the way to it leaves a helper out")
            self.assertEqual(way[0], "peat_put")
            self.assertLessEqual(len(way) - 1, 5, way)

    def test_get_reaches_a_block_in_six_calls(self):
        way = calls(flows()["Get"], "pt_block_peek")
        self.assertIsNotNone(way, "a step on the way leaves a helper out")
        self.assertEqual(way[0], "peat_get")
        self.assertLessEqual(len(way) - 1, 6, way)

    def test_put_turns_to_few_files_and_get_reaches_a_block_in_six_hops(self):
        for title, name, most in (("Put", "append_ring", 2), ("Put", "pt_log_write_at", 2), ("Get", "pt_block_peek", 6)):
            paths = dict(check_flow(flows()[title], read)[1])[name]
            self.assertLessEqual(hops(paths), most, paths)

    def test_the_five_stages_of_a_commit_follow_one_another(self):
        stages = ["commit_" + stage for stage in ("reserve", "log", "insert", "publish", "make_durable")]
        text = body(read("write/commit.c"), "pt_write_commit")
        self.assertEqual(re.findall(r"\bcommit_\w+(?=\()", text), stages)
        steps = [STEP.match(line)[2] for line in flows()["Put"]]
        self.assertEqual([step for step in steps if step.startswith("commit_")], stages)
        head = read("write/commit.c").split("*/")[1]
        self.assertEqual(re.findall(r"^ \*   \w+ +(commit_\w+)", head, re.M), stages)

    def test_floors_of_the_table_are_the_folders(self):
        named = re.findall(r"^\| [0-6](?:\.\d)? \| `(\w+)` \|", read("README.md"), re.M)
        folders = [d for d in os.listdir(SRC) if os.path.isdir(os.path.join(SRC, d))]
        self.assertEqual(sorted(named), sorted(folders))

    def test_files_named_in_the_text_exist(self):
        for path in re.findall(r"`(\w+/\w+\.[ch])`", read("README.md")):
            base = os.path.dirname(SRC) if path.startswith("include/") else SRC
            self.assertTrue(os.path.exists(os.path.join(base, path)), path)
        for name, path in re.findall(r"`(\w+)` \(`(\w+/\w+\.c)`", read("README.md")):
            self.assertIsNotNone(body(read(path), name), f"{path} does not define {name}")

    def test_a_wrong_list_is_found(self):
        files = {"a.c": "static int one(int a,\n    int b)\n{\n    two(a);\n}\n\nvoid *two(int a)\n{\n    s->go(a);\n}\n"}
        good = ["one   a.c  words", "  two  a.c", "    one by go  a.c"]
        self.assertEqual(check_flow(good, files.get)[0], [])
        for bad, problem in ((["three  a.c"], "does not define"), (["two  a.c", "  one  a.c"], "does not call"),
                             (["two  a.c", "  one by come  a.c"], "does not call"), (["one"], "not a step")):
            self.assertIn(problem, check_flow(bad, files.get)[0][0])
        self.assertEqual(calls(good, "one"), ["one"])
        self.assertEqual(calls(good, "two"), ["one", "two"])
        self.assertIsNone(calls(["one  a.c", "  two ...  a.c", "    one by go  a.c", "    six  a.c"], "six"))
        self.assertIsNone(calls(good, "six"))


if __name__ == "__main__":
    unittest.main(buffer=True)
