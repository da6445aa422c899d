#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws a flame graph, as SVG, from what `perf script` prints of a recording with call graphs.

    perf script -F comm,pid,tid,time,event,ip,sym,dso -i RECORDING | bench/flame.py TITLE >GRAPH.svg

Each call path is a column, callers below, as wide as its share of all samples; a bar's tooltip says
its name, share and number of samples. What has less than 0.5 % is left out. Colours: the kernel
red, libc and other libraries grey, the program green (library and benchmark are one program).
bench/flames.sh makes those of doc/performance.md.
"""
import sys
from html import escape

WIDTH, ROW, TOP, CHAR = 1200, 16, 34, 6.6  # pixels
LEAST = 0.005
COLOURS = {"kernel": "#e8a08c", "library": "#cccccc", "program": "#a8cf8e", "all": "#dddddd"}


class Bar:
    def __init__(self, kind):
        self.kind, self.samples, self.above = kind, 0, {}

    def child(self, name, kind):
        return self.above.setdefault(name, Bar(kind))


def kind_of(dso):
    if dso.startswith("[kernel") or dso.startswith("[guest") or dso.endswith(".ko"):
        return "kernel"
    return "library" if ".so" in dso or dso.startswith("[") else "program"


def frame(line):
    """"  55d0 pt_read_get (/path/peat-bench)": the name and whose it is"""
    symbol, _, dso = line.strip().partition(" ")[2].rpartition(" (")
    kind = kind_of(dso.rstrip(")"))
    return ("?" if symbol == "[unknown]" else symbol), kind


def stacks(lines):
    """Of each sample its frames, callers first. A sample is a line that is not indented, frames, an empty line."""
    found = []
    for line in lines:
        if line.strip() == "":
            if found:
                yield found[::-1]
            found = []
        elif line[0] in " \t":
            found.append(frame(line))
    if found:
        yield found[::-1]


def tree(lines):
    root = Bar("all")
    for stack in stacks(lines):
        at = root
        at.samples += 1
        for name, kind in stack:
            at = at.child(name, kind)
            at.samples += 1
    return root


def height(bar, least):
    return 1 + max((height(b, least) for b in bar.above.values() if b.samples >= least), default=0)


def draw(name, bar, x, level, scale, least, rows, out):
    wide, y = bar.samples * scale, TOP + (rows - 1 - level) * ROW
    share = 100 * bar.samples / (WIDTH / scale)
    room = int((wide - 4) / CHAR)
    text = name if len(name) <= room else name[:room - 1] + "…" if room > 3 else ""
    out.append(f'<g><title>{escape(name)}: {share:.1f} %, {bar.samples} samples</title>'
               f'<rect x="{x:.1f}" y="{y}" width="{max(wide - 0.5, 0.5):.1f}" height="{ROW - 1}" fill="{COLOURS[bar.kind]}"/>' +
               (f'<text x="{x + 2:.1f}" y="{y + 11}">{escape(text)}</text>' if text else "") + "</g>")
    for above, b in sorted(bar.above.items()):
        if b.samples >= least:
            draw(above, b, x, level + 1, scale, least, rows, out)
            x += b.samples * scale


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    root = tree(sys.stdin)
    if root.samples == 0:
        sys.exit("flame: no samples")
    least = root.samples * LEAST
    rows, out = height(root, least), []
    draw("all", root, 0, 0, WIDTH / root.samples, least, rows, out)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{TOP + rows * ROW + 4}" '
          f'font-family="monospace" font-size="11">\n<text x="4" y="20" font-size="14">{escape(sys.argv[1])}</text>')
    print("\n".join(out) + "\n</svg>")


if __name__ == "__main__":
    main()
