#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the tables of doc/bench.md from what bench/figures.sh has left in DIR, and shows them in README.md.

Usage: readme-figures.py [DIR]      a table that DIR has no figures of stays as it is
       readme-figures.py --check    changes nothing; status 1 when README.md is behind doc/bench.md

Without doc/bench.md the README says that there are no figures.
"""
import glob
import json
import os
import re
import statistics
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NONE = "No figures have been recorded for this version.\n"
PLACE = re.compile(r"(<!-- figures: [^\n]*-->\n).*?(<!-- end of figures -->\n)", re.S)
TABLES = re.compile(r"(<!-- tables: [^\n]*-->\n)(.*?)(<!-- end of tables -->\n)", re.S)
TABLE = re.compile(r"<!-- table (\w+) -->\n(.*?)(?=<!-- table |\Z)", re.S)
NAMES = {"peat": "Peat", "lmdb": "LMDB", "rocksdb": "RocksDB", "leveldb": "LevelDB", "wiredtiger": "WiredTiger"}
SEEK = {"seekrandom10": "seek + 10", "seekrandom100": "seek + 100", "readhot": "zipfian", "readwhilewriting": "read while writing"}

# name -> the sentence before the table
CAPTIONS = {
    "defaults": "Out of the box: Peat opened without options (an eighth of the machine's memory, {memory}, and LZ4), the others with as much memory and LZ4 where they\n"
                "have it; 16-byte decimal keys, 100-byte half-compressible values, one thread, {records} records; op/s, and the median of the ratios of {pairs} paired\n"
                "runs in one sitting on one machine (lowest and highest in brackets). Below 1 Peat is the slower one:",
    "standard": "16-byte decimal keys, 100-byte half-compressible values, one thread, {memory}, uncompressed, {records} records; op/s, and the median of\n"
                "the ratios of {pairs} paired runs in one sitting on one machine (lowest and highest in brackets). Below 1 Peat is the slower one:",
    "large": "Larger than memory: {records} records in a memory group of a quarter of their bytes, page cache included, half of it for the engine to rule over:",
    "kilobyte": "Values of 1,000 bytes, {memory}, uncompressed, {records} records:",
    "latency": "How long single calls take, in microseconds: medians of the runs' percentiles, and the worst of all calls; {memory}, uncompressed, {records} records:",
}
# In the table of the standard case: (workload, run): the label. What is not here is left out.
STANDARD = {
    ("fillseq", "lmdb"): "fillseq", ("fillrandom", "lmdb-scans"): "fillrandom",
    ("overwrite", "lmdb-scans"): "overwrite", ("readrandom", "lmdb"): "readrandom",
    ("readrandom", "lmdb-seeks"): "readrandom, the first million reads",
    ("readmissing", "lmdb-scans"): "readmissing", ("readseq", "lmdb-scans"): "readseq",
    ("readreverse", "lmdb-scans"): "readreverse", ("seekrandom10", "lmdb-seeks"): "seek + 10",
    ("seekrandom100", "lmdb-seeks"): "seek + 100",
    ("seekrandom10", "lmdb-scans"): "seek + 10, blocks not in memory yet",
}
OTHERS = {"fillseq": ("leveldb", ""), "fillrandom": ("rocksdb", ""), "overwrite": ("rocksdb", ""),
          "readmissing": ("rocksdb", ""), "readseq": ("wiredtiger", ", second scan"),
          "seek + 100": ("wiredtiger", ", cold")}
CALLS = {"fillrandom": "put, new keys", "overwrite": "put, over all keys", "readrandom": "get"}


def lines(folder, table):
    """run -> the JSON lines of its file"""
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, table + ".*.jsonl"))):
        with open(path, encoding="utf-8") as f:
            found[os.path.basename(path).split(".")[1]] = [json.loads(line) for line in f]
    return found


def digits(number):
    return f"{number:,.{2 if number < 9.95 else 1 if number < 99.5 else 0}f}"


def rate(ops):
    return f"{digits(ops / 1e6)} M" if ops >= 1e5 else f"{digits(ops / 1e3)} k"


def ratio(line):
    return f"{digits(line['ratio'])} ({digits(line['ratio_low'])}–{digits(line['ratio_high'])})"


def table_text(head, rows):
    kinds = ["---"] + ["---" if name in ("another", "engine") else "---:" for name in head[1:]]
    return "".join("| " + " | ".join(cells) + " |\n" if cells is not kinds else "|" + "|".join(kinds) + "|\n"
                   for cells in [head, kinds] + rows)


def standard(runs):
    compared = {(line["workload"], run, line["with"]): line
                for run, all_lines in runs.items() for line in all_lines if "compare" in line}
    rows = []
    for (workload, run), label in STANDARD.items():
        line = compared.get((workload, run, "lmdb"))
        if line is None:
            continue
        peer, remark = OTHERS.get(label, ("", ""))
        other = compared.get((workload, peer, peer))
        rows.append([label, rate(line["ops_per_s"]), rate(line["with_ops_per_s"]), ratio(line)] +
                    ([NAMES[peer] + remark, ratio(other)] if other else ["", ""]))
    return table_text(["workload", "Peat", "LMDB", "Peat / LMDB", "another", "Peat / the other"], rows)


def compared(runs):
    found = {}
    for all_lines in runs.values():
        for line in all_lines:
            if "compare" in line:
                found.setdefault(line["workload"], {})[line["with"]] = line
    peers = list(dict.fromkeys(peer for by_peer in found.values() for peer in by_peer))
    rows = [[SEEK.get(workload, workload), rate(next(iter(by_peer.values()))["ops_per_s"])] +
            [ratio(by_peer[peer]) if peer in by_peer else "" for peer in peers]
            for workload, by_peer in found.items()]
    return table_text(["workload", "Peat"] + ["Peat / " + NAMES[peer] for peer in peers], rows)


def latency(runs):
    found = {}
    for all_lines in runs.values():
        for line in all_lines:
            if line.get("workload") in CALLS and "p50_us" in line:
                found.setdefault((line["workload"], line["engine"]), []).append(line)
    rows = [[CALLS[workload], NAMES[engine]] +
            [digits(statistics.median(line[name] for line in found[workload, engine]))
             for name in ("p50_us", "p99_us", "p999_us")] +
            [f"{max(line['max_us'] for line in found[workload, engine]):,.0f}"]
            for workload in CALLS for engine in NAMES if (workload, engine) in found]
    return table_text(["call", "engine", "p50", "p99", "p99.9", "worst"], rows)


def made(folder):
    """name -> caption and table, of each table that the folder has figures of"""
    texts = {}
    for name, caption in CAPTIONS.items():
        runs = lines(folder, name)
        results = [line for all_lines in runs.values() for line in all_lines if "records" in line]
        if results:
            maker = {"standard": standard, "latency": latency}.get(name, compared)
            pairs = max([line.get("rounds", 0) for all_lines in runs.values() for line in all_lines])
            said = caption.format(pairs=pairs, memory=f"{results[0]['memory_mib']:,} MiB", records=f"{results[0]['records']:,}")
            texts[name] = said + "\n\n" + maker(runs)
    return texts


def with_tables(bench, new):
    """The text of doc/bench.md with these tables in place of those of their names."""
    place = TABLES.search(bench)
    if not place:
        sys.exit("doc/bench.md has no place for tables")
    texts = {name: text.strip("\n") + "\n" for name, text in TABLE.findall(place[2])}
    texts.update(new)
    body = "\n".join(f"<!-- table {name} -->\n{texts[name]}" for name in CAPTIONS if name in texts)
    return bench[:place.end(1)] + body + bench[place.start(3):]


def figures(bench):
    """What README.md shows of the text of doc/bench.md (None: there is none)."""
    if bench is None:
        return NONE
    place = TABLES.search(bench)
    if not place or not TABLE.search(place[2]):
        sys.exit("doc/bench.md has no table")
    shown = "\n".join(text.strip("\n") + "\n" for _, text in TABLE.findall(place[2]))
    return shown + "\nMore in [doc/bench.md](doc/bench.md).\n"


def updated(readme, bench):
    text, count = PLACE.subn(lambda m: m[1] + figures(bench) + m[2], readme)
    if count != 1:
        sys.exit("README.md has no place for figures")
    return text


def read(path):
    try:
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return None


def write(path, text):
    with open(os.path.join(ROOT, path), "w", encoding="utf-8") as f:
        f.write(text)


def main():
    folders = [arg for arg in sys.argv[1:] if arg != "--check"]
    if folders:
        new = made(folders[0])
        if not new:
            sys.exit(f"{folders[0]} has no figures; bench/figures.sh takes them")
        write("doc/bench.md", with_tables(read("doc/bench.md"), new))
    readme = read("README.md")
    new = updated(readme, read("doc/bench.md"))
    if new != readme and "--check" in sys.argv[1:]:
        print("README.md is behind doc/bench.md: run scripts/readme-figures.py")
        return 1
    if new != readme:
        write("README.md", new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
