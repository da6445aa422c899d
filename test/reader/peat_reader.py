#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads a store without the library: an independent reader, written from the format documents.

Usage: peat_reader.py STORE        a directory that no process is writing
       peat_reader.py STREAM       a file that `peat export` wrote; - is standard input

Verifies every checksum and prints all records of the default keyspace as `peat dump` does.
Exit codes: 0 done, 2 usage, 3 damage or something this reader does not know.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cursor import Damage, Unsupported  # noqa: E402
from log import Log  # noqa: E402
from manifest import read_file, read_state, read_superblock  # noqa: E402
from operations import PUT  # noqa: E402
from stream import Stream  # noqa: E402
from table import Table  # noqa: E402

DEFAULT_KEYSPACE = b"\0\0\0\1"


def _newest_of(layers, tables, lower, upper):
    """The newest entry of each key of the partition: layers from the oldest to the newest."""
    found = {}
    for layer in layers:
        for entry, _ in tables[layer.file].newest():
            if entry.key < lower or (upper is not None and entry.key >= upper):
                continue
            older = found.get(entry.key)
            if older and 0 < entry.seq <= older.seq:  # 0: no longer told apart
                raise Damage(tables[layer.file].name, 0, f"{entry.key!r} is older than in the layer below")
            found[entry.key] = entry
    return found


def read_store(folder, note=lambda text: None):
    """All live entries of all keyspaces: a list of (key with keyspace, value), in order."""
    slot = read_superblock(folder, note)
    state = read_state(folder, slot, note)
    tables = {}
    for number in state.live_files():
        meta = state.tables[number]
        if meta.store_id != slot.store_id or meta.number != number:
            raise Damage(meta.name(), 0, "a table of another store")
        tables[number] = Table(read_file(folder, meta.name()), meta)
    live = {}
    partitions = state.sorted_partitions()
    uppers = [p.lower for p in partitions[1:]] + [None]
    for p, upper in zip(partitions, uppers):
        for key, entry in _newest_of(p.bottom + p.slices[::-1], tables, p.lower, upper).items():
            if entry.kind == PUT:
                live[key] = entry.value
    for _, kind, key, value in Log(folder, slot.store_id, state, note).ops:
        if kind == PUT:
            live[key] = value
        else:
            live.pop(key, None)
    return sorted(live.items())


def read_stream(f, name):
    return list(Stream(f, name))


_ESCAPES = {b: f"\\x{b:02x}".encode() for b in [*range(0x20), 0x7f]}
_ESCAPES.update({ord("\\"): b"\\\\", ord("\t"): b"\\t", ord("\n"): b"\\n", ord("\r"): b"\\r"})
_FIELD = [_ESCAPES.get(b, bytes([b])) for b in range(256)]


def tsv(entries):
    """The records of the default keyspace as lines (tools/peat/README.md)."""
    out = []
    for key, value in entries:
        if key.startswith(DEFAULT_KEYSPACE):
            out += [*(_FIELD[b] for b in key[4:]), b"\t", *(_FIELD[b] for b in value), b"\n"]
    return b"".join(out)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("--"):
        print(__doc__, file=sys.stderr)
        return 2
    name = sys.argv[1]
    try:
        if os.path.isdir(name):
            entries = read_store(name, lambda text: print(f"peat_reader: note: {text}", file=sys.stderr))
        elif name == "-":
            entries = read_stream(sys.stdin.buffer, "stream")
        else:
            with open(name, "rb") as f:
                entries = read_stream(f, name)
    except (Damage, Unsupported, OSError) as error:
        print(f"peat_reader: {error}", file=sys.stderr)
        return 3
    sys.stdout.buffer.write(tsv(entries))
    return 0


if __name__ == "__main__":
    sys.exit(main())
