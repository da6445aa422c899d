# SPDX-License-Identifier: MIT
"""Export streams: src/copy/copy_format.md."""
import struct

from cursor import Damage, Unsupported
from operations import PUT, operations
from xxh3 import checksum, hash64, mix, place

HEADER, FRAME, END = 32, 16, 40
FRAME_MAX = (256 << 10) + (1 << 30) + 65535 + 64
END_MARK = 0xffffffff


def _check(head, body, stream_id, offset):
    return place(mix(hash64(head)) ^ hash64(body), stream_id, offset)


class Stream:
    """Reads from f and yields (key, value) in order; name is for reports."""

    def __init__(self, f, name):
        self.f, self.name, self.at = f, name, 0

    def _take(self, size):
        data = self.f.read(size)
        if len(data) != size:
            raise Damage(self.name, self.at + len(data), "torn: the stream stops before its end")
        self.at += size
        return data

    def __iter__(self):
        header = self._take(HEADER)
        if header[:8] != b"PEATCOPY":
            raise Damage(self.name, 0, "not an export")
        version, _, stream_id, check = struct.unpack_from("<2I2Q", header, 8)
        if check != checksum(header[:24], 0, 0):
            raise Damage(self.name, 0, "the header does not verify")
        if version != 1:
            raise Unsupported(f"{self.name} @8: version {version}")
        chain, entries, size_of_all, last = stream_id, 0, 0, None
        while True:
            at = self.at
            head = self._take(8)
            size, count = struct.unpack("<2I", head)
            check = struct.unpack("<Q", self._take(8))[0]
            if (size, count) == (0, END_MARK):
                break
            if size > FRAME_MAX:
                raise Damage(self.name, at, f"a frame of {size} bytes")
            body = self._take(size)
            if check != _check(head, body, stream_id, at):
                raise Damage(self.name, at, "the frame does not verify")
            chain = mix(chain ^ check)
            ops = list(operations(body, self.name, at + FRAME))
            if len(ops) != count:
                raise Damage(self.name, at, f"{count} entries expected, {len(ops)} found")
            for kind, key, value in ops:
                if kind != PUT or (last is not None and key <= last):
                    raise Damage(self.name, at, "entries out of order")
                last = key
                entries += 1
                size_of_all += len(key) + len(value)
                yield key, value
        body = self._take(END - FRAME)
        if check != _check(head, body, stream_id, at):
            raise Damage(self.name, at, "the end does not verify")
        if struct.unpack("<3Q", body) != (entries, size_of_all, chain):
            raise Damage(self.name, at, "the totals differ")
