#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Planted bugs: reads a plant (README.md here has the format) and puts it into a tree.

Usage: plants.py TREE PLANT     prints the files it changed; a plant that does not apply changes none

Exit status 1: it does not apply, and standard error says which plant, which file and why.
"""
import os
import re
import sys
from typing import NamedTuple

SUFFIX = ".plant"
_HEAD = re.compile(r"what: (\S.*)\ntests: (\S.*)\n")
_EDIT = re.compile(r"\nfile: (\S+)\n<<<<\n((?:.*\n)+?)====\n((?:.*\n)*?)>>>>\n")


class Edit(NamedTuple):
    file: str
    old: str  # whole lines, as is new
    new: str


class Plant(NamedTuple):
    name: str
    what: str
    tests: list
    edits: list


class PlantError(Exception):
    """A plant that cannot be read, or does not apply."""


def parse(name, text):
    head = _HEAD.match(text)
    if not head:
        raise PlantError(f"{name}: does not begin with a line what: and a line tests:")
    edits, at = [], head.end()
    while at < len(text) or not edits:
        found = _EDIT.match(text, at)
        if not found:
            raise PlantError(f"{name}: no edit in line {text.count(chr(10), 0, at) + 1}: an empty line, file:, "
                             "and old and new text in <<<<, ==== and >>>>")
        edits.append(Edit(*found.groups()))
        at = found.end()
    return Plant(name, head[1], head[2].split(), edits)


def places(text, lines):
    """Where whole lines stand in a text; those that overlap count, too."""
    return [m.start() for m in re.finditer(f"^(?={re.escape(lines)})", text, re.M)]


def replaced(name, edit, text):
    """The text with the edit in it, if the old text is there exactly once."""
    found = places(text, edit.old)
    if len(found) != 1:
        first = edit.old.strip().split("\n")[0]
        raise PlantError(f"{name}: {edit.file}: the old text occurs {len(found)} times, not once: {first}")
    if edit.new == edit.old:
        raise PlantError(f"{name}: {edit.file}: the new text is the old one")
    return text[:found[0]] + edit.new + text[found[0] + len(edit.old):]


def read(path):
    with open(path, encoding="utf-8", newline="") as f:
        return f.read()


def apply(plant, root):
    """The files that the plant changes with their new texts; a later edit sees what one before it did."""
    texts = {}
    for edit in plant.edits:
        path = os.path.join(root, edit.file)
        if edit.file not in texts and not os.path.isfile(path):
            raise PlantError(f"{plant.name}: {edit.file}: there is no such file")
        text = texts[edit.file] if edit.file in texts else read(path)
        texts[edit.file] = replaced(plant.name, edit, text)
    return texts


def load(path):
    return parse(os.path.basename(path)[:-len(SUFFIX)], read(path))


def problems(path, root):
    """What is wrong with the plant of that file, in lines; the texts of the tree stay as they are."""
    try:
        plant = load(path)
    except PlantError as e:
        return [str(e)]
    found = [f"{plant.name}: there is no test {test}" for test in plant.tests
             if not os.path.isfile(os.path.join(root, "test", test))]
    try:
        apply(plant, root)
    except PlantError as e:
        found.append(str(e))
    return found


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    root, path = sys.argv[1:]
    try:
        texts = apply(load(path), root)
    except PlantError as e:
        print(e, file=sys.stderr)
        return 1
    for file, text in texts.items():
        with open(os.path.join(root, file), "w", encoding="utf-8", newline="") as f:
            f.write(text)
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
