#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the golden stores of a format version. Run once per version; those that are here stay.

Usage: make_golden.py BUILD VERSION [NAME...]

Each vN-NAME.tar.xz holds the files of a store and expected.tsv, what `peat dump` prints of it.
"""
import os
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WORLDS = (("closed", "2", "closed-lz4"), ("closed", "3", "closed-zstd"), ("cut", "1", "crashed"),
          ("latest", "2", "crashed-synced"), ("merge", "1", "mid-merge"), ("merge", "2", "mid-merge-lz4"))


def large(peat, folder):
    """Values with blocks of their own, keys of every length, a record over several log segments."""
    rows = [(b"", b"the empty key"), (b"k" * 65535, b"the longest key"), (b"empty", b"")]
    rows += [(b"large/%d" % n, (b"%d bytes of a large value " % n) * n) for n in (1, 100, 1000, 9000)]
    rows += [(b"deleted/%d" % n, b"x") for n in range(40)]
    text = b"".join(k.hex().encode() + b"\t" + v.hex().encode() + b"\n" for k, v in rows)
    run = [peat, "load", "-q", "-k", "hex", "-v", "hex", "-c", "lz4", folder]
    subprocess.run(run, input=text, check=True)
    subprocess.run([peat, "compact", "-q", "-c", "lz4", folder], check=True)
    subprocess.run([peat, "del", "-q", folder, *(f"deleted/{n}" for n in range(0, 40, 3))], check=True)
    subprocess.run([peat, "load", "-q", folder], input=b"large/new\t" + b"in the log " * 30000, check=True)


def long_prefix(peat, folder, codec):
    """Keys that share more than 16 KiB, in an upper run, in the bottommost one and in the log; other keys between."""
    def key(letter, size, n):
        return (letter * size + b"%05d" % (n * 7)).hex().encode()

    def load(rows):
        text = b"".join(k + b"\t" + v.hex().encode() + b"\n" for k, v in rows)
        subprocess.run([peat, "load", "-q", "-k", "hex", "-v", "hex", "-c", codec, folder], input=text, check=True)

    load([(b"%d" % n).hex().encode(), b"short"] for n in range(30))
    load((key(b"p", 20000, n), b"value %d" % n) for n in range(60))
    load((key(b"q", 65530, n), b"") for n in range(20))
    load((key(b"r", 17000 + n, 0), b"one letter longer each") for n in range(20))
    subprocess.run([peat, "compact", "-q", "-c", codec, folder], check=True)
    load((key(b"p", 20000, n), b"again %d" % n) for n in range(0, 60, 7))
    subprocess.run([peat, "del", "-q", "-k", "hex", folder, *(key(b"q", 65530, n).decode() for n in range(3, 9))],
                   check=True)


def pack(peat, folder, name):
    expected = subprocess.run([peat, "dump", "-q", folder], check=True, capture_output=True).stdout
    with open(os.path.join(folder, "expected.tsv"), "wb") as f:
        f.write(expected)
    target = os.path.join(HERE, name + ".tar.xz")
    with tarfile.open(target, "x:xz", preset=9) as tar:
        for file in sorted(os.listdir(folder)):
            if file != "LOCK":
                info = tar.gettarinfo(os.path.join(folder, file), file)
                info.uid = info.gid = info.mtime = 0
                info.uname = info.gname = ""
                info.mode = 0o644
                with open(os.path.join(folder, file), "rb") as f:
                    tar.addfile(info, f)
    print(f"{name}: {os.path.getsize(target)} bytes, {expected.count(10)} records")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    build, version, *only = sys.argv[1:]
    peat = os.path.join(build, "peat")
    with tempfile.TemporaryDirectory() as folder:
        for codec in ("none", "lz4"):
            name = "long-prefix" if codec == "none" else f"long-prefix-{codec}"
            if not only or name in only:
                path = os.path.join(folder, name)
                long_prefix(peat, path, codec)
                pack(peat, path, f"v{version}-{name}")
        if only:
            return
        for end, compression, name in WORLDS:
            path = os.path.join(folder, name)
            subprocess.run([os.path.join(build, "tests", "damage_test_damage"), "--save", end, compression, path],
                           check=True)
            pack(peat, path, f"v{version}-{name}")
        path = os.path.join(folder, "large")
        large(peat, path)
        pack(peat, path, f"v{version}-large")


if __name__ == "__main__":
    main()
