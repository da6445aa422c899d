# SPDX-License-Identifier: MIT
"""Taking numbers out of bytes. Whatever does not decode is Damage with file and offset."""
import struct


class Damage(Exception):
    """Bytes that the format documents do not allow."""

    def __init__(self, file, offset, message):
        super().__init__(f"{file} @{offset}: {message}")
        self.file, self.offset = file, offset


class Unsupported(Exception):
    """Not damage: a later version, or a codec that is not at hand."""


class Cursor:
    """Reads data[at:end] from front to back; base is the offset of data in the file."""

    def __init__(self, data, file, base=0, at=0, end=None):
        self.data, self.file, self.base, self.at = data, file, base, at
        self.end = len(data) if end is None else end

    def fail(self, message):
        raise Damage(self.file, self.base + self.at, message)

    def left(self):
        return self.end - self.at

    def take(self, size):
        if size > self.left():
            self.fail(f"{size} bytes expected, {self.left()} are left")
        self.at += size
        return self.data[self.at - size:self.at]

    def numbers(self, code, count=1):
        """count little-endian numbers: code is B, H, I or Q."""
        size = struct.calcsize("<" + code)
        return struct.unpack(f"<{count}{code}", self.take(size * count))

    def u8(self):
        return self.numbers("B")[0]

    def u16(self):
        return self.numbers("H")[0]

    def u32(self):
        return self.numbers("I")[0]

    def u64(self):
        return self.numbers("Q")[0]

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.u8()
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                if value >> 64:
                    self.fail("a varint of more than 64 bits")
                return value
        return self.fail("a varint of more than 10 bytes")

    def sized(self):
        return self.take(self.varint())

    def done(self, what):
        if self.left():
            self.fail(f"{self.left()} bytes behind the end of {what}")
