# SPDX-License-Identifier: MIT
"""The examples of the format documents, read as they stand there, and the pieces of the reader.
"""
import io
import os
import re
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
from codec import lz4_block  # noqa: E402
from cursor import Cursor, Damage  # noqa: E402
from log import RECORD, Header, Record  # noqa: E402
from manifest import State, manifest_records, read_superblock  # noqa: E402
from operations import PUT, operations  # noqa: E402
from peat_reader import read_stream  # noqa: E402
from table import Meta, Table  # noqa: E402
from xxh3 import hash64  # noqa: E402


def document(path):
    with open(os.path.join(ROOT, "src", path), encoding="utf-8") as f:
        return f.read()


class Pieces(unittest.TestCase):
    def test_hash_gives_the_values_of_the_reference_implementation(self):
        """Computed with libxxhash 0.8 over bytes (i * 2654435761 mod 2^32) >> 13."""
        data = bytes(((i * 2654435761 & 0xffffffff) >> 13) & 255 for i in range(5000))
        for size, expected in KNOWN_HASHES:
            self.assertEqual(f"{hash64(data[:size]):016x}", expected, size)

    def test_lz4_overlapping_match_and_refusals(self):
        self.assertEqual(lz4_block(b"\x1fa\x01\x00\x00\x50bcdef", 25), b"a" * 20 + b"bcdef")
        self.assertEqual(lz4_block(b"\x00", 0), b"")
        for bad, size in ((b"", 0), (b"\x10", 1), (b"\x10a\x02\x00\x10b", 6), (b"\x10a\x00\x00\x10b", 6),
                          (b"\x20ab", 3), (b"\xf0\xff", 9), (b"\x1fa\x01\x00\x00\x50bcdef", 24)):
            with self.subTest(bad), self.assertRaises(ValueError):
                lz4_block(bad, size)

    def test_varint_limits(self):
        self.assertEqual(Cursor(b"\xff" * 9 + b"\x01", "x").varint(), 2 ** 64 - 1)
        self.assertEqual(Cursor(b"\x81\x80\x00", "x").varint(), 1)
        for bad in (b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x00", b"\x80"):
            with self.subTest(bad), self.assertRaises(Damage):
                Cursor(bad, "x").varint()


class Examples(unittest.TestCase):
    """The worked examples of the documents, read as they stand there."""

    def rows(self, path, pattern, base=16):
        found = [(int(m[0], base), bytes.fromhex(m[1])) for m in re.findall(pattern, document(path), re.M)]
        self.assertTrue(found, f"{path} has no example")
        return found

    def place(self, rows, size):
        data = bytearray(size)
        for at, row in rows:
            data[at:at + len(row)] = row
        return bytes(data)

    def test_operations(self):
        text = document("entry/batch_format.md")
        block = re.search(r"## Example.*?```\n(.*?)```", text, re.S).group(1)
        ops = list(operations(bytes.fromhex(block), "example", 0))
        self.assertEqual(ops, [(PUT, b"\0\0\0\1a", b"xy"), (1, b"\0\0\0\1bc", b""), (PUT, b"\0\0\0\1", b"")])

    def test_edit(self):
        rows = re.findall(r"^((?:[0-9a-f]{2} )+) +[ps][a-z_]+ ", document("version/edit_format.md"), re.M)
        state = State()
        state.apply(Cursor(bytes.fromhex("".join(rows)), "example"))
        self.assertEqual((state.seq_flushed, state.log_serial_min, state.edit_number), (0, 1, 1))
        self.assertEqual([p.lower for p in state.sorted_partitions()], [b""])

    def test_superblock_and_manifest(self):
        path = "version/manifest_format.md"
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "PEAT"), "wb") as f:
                f.write(self.place(self.rows(path, r"^    ([0-9a-f]{5})  ((?:[0-9a-f]{2} ?)+)$"), 8192))
            notes = []
            slot = read_superblock(folder, notes.append)
        self.assertEqual((slot.generation, slot.promise, notes), (3, 0x63, []))
        data = self.place(self.rows(path, r"^    ([0-9a-f]{5}): ((?:[0-9a-f]{2} ?)+)$"), 32768)
        payloads = list(manifest_records(data, "m-000001", slot, notes.append))
        self.assertEqual((payloads, notes), ([(0x44, b"one"), (0x5b, b"edit two")], []))

    def test_log(self):
        rows = self.rows("log/log_format.md", r"^    ([0-9a-f]{5})  ((?:[0-9a-f]{2} ?)+)$")
        data = bytearray(self.place(rows, 262144))
        data[-120:] = data[8:128]  # the text shows the checksum of the second header, the rest is the same
        data = bytes(data)
        header = Header(data, 0)
        self.assertTrue(header.ok and Header(data, len(data) - 128).ok)
        at, found = 128, []
        while (r := Record(data, at, header.epoch)).ok:
            found.append((r.kind, r.seq, r.count, r.promise, data[at + RECORD:r.end]))
            at = r.end + -r.end % 16
        self.assertEqual(found, [(1, 1, 1, 0, b"put a=1"), (1, 2, 2, 0, b"put b=2, del a now"),
                                 (5, 4, 0, 3, b"")])

    def test_table(self):
        text = document("table/table_format.md")
        block = re.search(r"## Worked example.*?```\n(.*?)```", text, re.S).group(1)
        data = b""
        for line in block.splitlines():
            at, row = re.match(r"(\d+) +((?:[0-9a-f]{2} )+) ", line + "  ").groups()
            self.assertEqual(int(at), len(data), line)
            data += bytes.fromhex(row)
        table = Table(data, Meta(data[88:155], "example", 88))
        self.assertEqual([(e.key, e.kind, e.seq, e.value) for e in table.entries],
                         [(b"\0\0\0\1a", PUT, 0, b"1"), (b"\0\0\0\1b", PUT, 0, b"23")])

    def test_stream(self):
        data = self.place(self.rows("copy/copy_format.md", r"^([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)$"), 97)
        self.assertEqual(read_stream(io.BytesIO(data), "example"), [(b"\0\0\0\1a", b"1")])


KNOWN_HASHES = [
    (0, "2d06800538d394c2"), (1, "c44bdff4074eecdb"), (2, "1ca5cfa6a6d57dc2"),
    (3, "a1c4a8259b827291"), (4, "bb4e3d89ee0b271d"), (7, "e8317720ff435ece"),
    (8, "79d02238b80e37b1"), (9, "f64cecc4271ff461"), (16, "222e9aead6bddd51"),
    (17, "47aad6b375eb4bba"), (32, "774140158f21ff0a"), (33, "537e7ed26d825e92"),
    (64, "70a70e66815e67e5"), (127, "b931ee7057194e63"), (128, "421a9c905c6e66ba"),
    (129, "9e2414800f83768a"), (144, "b851aacca23ec7b6"), (239, "11c20fc75e84087b"),
    (240, "b714c5fd22744964"), (241, "bc424a2c480dd281"), (255, "155baa5891f7606f"),
    (256, "2d040b1ab40f0d78"), (257, "d0515fbec69efb50"), (512, "17ec4809d1a9ad43"),
    (1023, "3071307bafa2f8f4"), (1024, "1fd15e7d36f5e1bc"), (1025, "fe08e5a874d23fd2"),
    (1088, "0ac7cf3a6009bab5"), (2048, "81ec4a6a9ee23d55"), (2049, "9156a1fd2d1a8c37"),
    (4088, "2e38c042d421c491"), (4999, "1933f07d27f01f6e"),
]

if __name__ == "__main__":
    unittest.main()
