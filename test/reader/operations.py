# SPDX-License-Identifier: MIT
"""Lists of operations: src/entry/batch_format.md."""
from cursor import Cursor, Unsupported

DELETE, PUT = 1, 2
KEY_MIN, KEY_MAX, VALUE_MAX = 4, 65539, 1 << 30


def operations(data, file, base):
    """Yields (kind, key, value); base is the offset of data in the file, for reports."""
    c = Cursor(data, file, base)
    while c.left():
        kind = c.u8()
        if kind not in (DELETE, PUT):
            raise Unsupported(f"{file} @{c.base + c.at - 1}: operation of kind {kind}")
        key_size = c.varint()
        value_size = c.varint() if kind == PUT else 0
        if not KEY_MIN <= key_size <= KEY_MAX or value_size > VALUE_MAX:
            c.fail(f"a key of {key_size} and a value of {value_size} bytes")
        key = bytes(c.take(key_size))
        yield kind, key, bytes(c.take(value_size))
