# SPDX-License-Identifier: MIT
"""Tables: src/table/table_format.md. A table is read whole, and all of it is verified."""
import struct

from codec import lz4_block, zstd_frame
from cursor import Cursor, Damage, Unsupported
from operations import DELETE, PUT
from xxh3 import checksum, hash64, mix

_M = 0xffffffffffffffff
PAGE = 4096
ALIGNED, HAS_LONG_PREFIX = 1, 2
FIXED_KEYS, FIXED_VALUES, SEQS, KINDS, CONTINUES, LARGE, LONG_PREFIX = 1, 2, 4, 8, 16, 32, 64
KEY_MAX = 65539
EXTENTS, TAILS = 1, 2
META_OFFSET = _M  # the manifest holds the same bytes, so no place in a file counts
TRAILER_BYTES = 20


class Meta:
    def __init__(self, data, file, base):
        self.data = bytes(data)
        c = Cursor(data, file, base)
        form = c.u8()
        if form not in (1, 2):
            raise Unsupported(f"{file} @{base}: a table of another format")
        self.store_id, self.number, self.file_bytes = c.numbers("Q", 3)
        (self.created_edit, self.entries, self.tombstones, self.key_bytes, self.value_bytes,
         self.seq_min, self.seq_max, self.block_count, self.block_bytes, self.run_kind, self.codec,
         self.flags, sections) = (c.varint() for _ in range(13))
        if sections != 4:
            c.fail(f"{sections} sections")
        self.index, self.filter, self.locator, self.ranges = ((c.varint(), c.varint()) for _ in range(4))
        self.key_min, self.key_max = bytes(c.sized()), bytes(c.sized())
        self.file_id = mix(self.store_id ^ mix(self.number))
        at = c.at
        if c.u64() != checksum(data[:at], self.file_id, META_OFFSET):
            c.fail(f"the description of table {self.number} does not verify")
        c.done("the description")
        if self.flags & ~(ALIGNED | HAS_LONG_PREFIX) and form == 2:
            raise Unsupported(f"{file} @{base}: a table with flags {self.flags}")
        if form != (2 if self.flags & ~ALIGNED else 1):
            c.fail(f"format {form} with flags {self.flags}")

    def name(self):
        return f"t-{self.number:06d}"


class Entry:
    __slots__ = ("key", "kind", "seq", "value")

    def __init__(self, key, kind, seq, value):
        self.key, self.kind, self.seq, self.value = key, kind, seq, value


class Table:
    """entries: all of them, in order."""

    def __init__(self, data, meta):
        self.data, self.meta, self.name = data, meta, meta.name()
        if len(data) != meta.file_bytes:
            raise Damage(self.name, len(data), f"{meta.file_bytes} bytes expected, {len(data)} found")
        self._footer()
        self._index(self._section(meta.index))
        self.entries, self.places = [], []  # places: (block, slot) of each entry
        for b in range(self.blocks):
            self._block(b)
        if self.goes_on:
            self._fail(meta.index[0], "the last block is to be continued")
        if bool(self.long_prefixes) != bool(meta.flags & HAS_LONG_PREFIX):
            self._fail(meta.index[0], f"{self.long_prefixes} blocks with a long prefix, flags {meta.flags}")
        self._order()
        self._totals()
        if meta.filter[1]:
            self._filter(self._section(meta.filter))
        if meta.locator[1]:
            self._locator(self._section(meta.locator))
        if meta.ranges[1]:
            raise Unsupported(f"{self.name}: range tombstones")

    def _fail(self, offset, message):
        raise Damage(self.name, offset, message)

    def _checked(self, start, end):
        """The bytes of data[start:end] without the checksum that ends them, verified."""
        if not 0 <= start <= end - 8 <= len(self.data) - 8:
            self._fail(start, "a place outside the file")
        body = self.data[start:end - 8]
        if struct.unpack_from("<Q", self.data, end - 8)[0] != checksum(body, self.meta.file_id, start):
            self._fail(start, f"{end - start} bytes do not verify")
        return body

    def _footer(self):
        if len(self.data) < TRAILER_BYTES:
            self._fail(0, "too short for a trailer")
        at = len(self.data) - TRAILER_BYTES
        size, magic = struct.unpack("<I8s", self._checked(at, len(self.data)))
        if magic != b"PETTABL1" or self.data[at - size:at] != self.meta.data:
            self._fail(at, "the footer is not what the manifest says")
        self.footer_at = at - size

    def _section(self, where):
        self._check_end(*where)
        return Cursor(self._checked(where[0], where[0] + where[1]), self.name, where[0])

    def _check_end(self, offset, size):
        if offset + size > self.footer_at:
            self._fail(offset, "a section reaches into the footer")

    # --- index ----------------------------------------------------------------------------------

    def _index(self, c):
        meta = self.meta
        self.blocks, flags, prefix_size, large = c.numbers("I", 4)
        if self.blocks != meta.block_count or flags & ~(EXTENTS | TAILS):
            c.fail("the index does not suit the description")
        prefix = c.take(prefix_size)
        c.take(-c.at % 8)
        heads = c.numbers("Q", self.blocks)
        if flags & EXTENTS:
            self.offsets = c.numbers("Q", self.blocks + 1)
        else:
            if not meta.flags & ALIGNED and self.blocks:
                c.fail("neither aligned nor extents")
            self.offsets = [PAGE * b for b in range(self.blocks)] + [meta.index[0]]
        self.before = c.numbers("I", self.blocks + 1)
        real = c.numbers("B", self.blocks)
        ends = c.numbers("I", self.blocks) if flags & TAILS else (0,) * self.blocks
        tails = c.take(ends[-1]) if ends else b""
        self.large = dict(c.numbers("I", 2) for _ in range(large))
        c.done("the index")
        if any(a >= b for a, b in zip(self.offsets, self.offsets[1:])) or self.offsets[-1] != meta.index[0]:
            c.fail("the extents do not fill the space before the index")
        self.separators = []
        for b in range(self.blocks):
            head = heads[b].to_bytes(8, "big")
            tail = tails[ends[b - 1] if b else 0:ends[b]]
            if real[b] > 8 or any(head[real[b]:]) or (tail and real[b] < 8):
                c.fail(f"separator {b} is malformed")
            self.separators.append(prefix + head[:real[b]] + tail)

    # --- blocks ---------------------------------------------------------------------------------

    def _decoded(self, b):
        """The decoded block, and the limit for its size without a checksum."""
        start, end = self.offsets[b], self.offsets[b + 1]
        stored = self._checked(start, end)
        if self.meta.codec == 0:
            return stored
        if self.meta.codec not in (1, 2):
            raise Unsupported(f"{self.name}: codec {self.meta.codec}")
        if len(stored) < 4:
            self._fail(start, "no room for the decoded size")
        word = struct.unpack_from("<I", stored)[0]
        size, payload = word & 0x7fffffff, stored[4:]
        if word >> 31:
            if size != len(payload):
                self._fail(start, f"{size} bytes stored as they are are {len(payload)}")
            return payload
        try:
            return (lz4_block if self.meta.codec == 1 else zstd_frame)(payload, size)
        except ValueError as error:
            return self._fail(start, str(error))

    def _block(self, b):
        start = self.offsets[b]
        block = self._decoded(b)
        c = Cursor(block, self.name, start)
        count, flags = struct.unpack_from("<HB", block) if len(block) >= 3 else (0, 0)
        if count == 0:
            c.fail("a block without entries")
        first = len(self.entries)
        if self.before[b] != first:
            c.fail(f"{self.before[b]} entries before the block, not {first}")
        if flags & LONG_PREFIX:
            entries, tags = self._long(c, b)
            self.long_prefixes += 1
        elif flags & LARGE:
            entries, tags = self._large(c, b)
        else:
            entries, tags = self._small(c, b)
        for slot, (entry, tag) in enumerate(zip(entries, tags)):
            if tag != hash64(entry.key) >> 56:
                self._fail(start, f"tag {slot} is not that of its key")
            if entry.kind not in (DELETE, PUT) or (entry.kind == DELETE and entry.value):
                self._fail(start, f"entry {slot} has kind {entry.kind} and {len(entry.value)} bytes")
            self.places.append((b, slot))
        if first and self.goes_on != (self.entries[-1].key == entries[0].key):
            self._fail(start, "the block before says otherwise about a key that goes on")
        self.entries += entries
        self.goes_on = bool(flags & CONTINUES)
        separator, last = self.separators[b], entries[-1].key
        exact = self.goes_on or b == self.blocks - 1
        if separator < last or (exact and separator != last):
            self._fail(start, "the separator does not suit the last key")
        if b and entries[0].key <= self.separators[b - 1] and entries[0].key != self.separators[b - 1]:
            self._fail(start, "the separator before does not suit the first key")
        if b and entries[0].key == self.separators[b - 1] != self.entries[first - 1].key:
            self._fail(start, "the separator before is the first key")

    goes_on, long_prefixes = False, 0

    def _large(self, c, b):
        count, flags, kind, key_size, value_size, tag = struct.unpack("<HBBIIB", c.take(13))
        c.take(3)
        seq = c.u64()
        if count != 1 or flags & ~(LARGE | CONTINUES):
            c.fail("a malformed large block")
        key = bytes(c.take(key_size))
        value = bytes(c.take(value_size))
        if self.large.get(b) != 24 + key_size + value_size:
            c.fail("the size of the large block is not that of the index")
        return [Entry(key, kind, seq, value)], [tag]

    def _small(self, c, b):
        (count, flags, seq_width, prefix_size, key_width, value_width, keys_at, values_at,
         used) = struct.unpack("<HBBHHHHHH", c.take(16))
        if b in self.large or flags & (0xff ^ 31) or used + 8 > self.meta.block_bytes or used > len(c.data):
            c.fail("a malformed block")
        return self._parts(c, count, flags, seq_width, prefix_size, key_width, value_width, keys_at, values_at, used)

    def _long(self, c, b):
        (count, flags, seq_width, prefix_size, key_width, value_width, keys_at, values_at,
         used) = struct.unpack("<HBBIHHIII", c.take(24))
        if self.large.get(b) != used or not flags & LARGE or flags > 127 or used > len(c.data):
            c.fail("a malformed block with a long prefix")
        entries, tags = self._parts(c, count, flags, seq_width, prefix_size, key_width, value_width, keys_at,
                                    values_at, used)
        if max(len(e.key) for e in entries) > KEY_MAX:
            c.fail("a key that is too long")
        return entries, tags

    def _parts(self, c, count, flags, seq_width, prefix_size, key_width, value_width, keys_at, values_at, used):
        if seq_width not in (0, 2, 4, 8) or (seq_width and not flags & SEQS):
            c.fail(f"sequences of {seq_width} bytes")
        c.end = used
        tags = c.take(count)
        kinds = c.take(count) if flags & KINDS else bytes([PUT]) * count
        seqs = [0] * count
        if flags & SEQS:
            base = c.u64()
            width = {2: "H", 4: "I", 8: "Q"}.get(seq_width)
            seqs = [base + d for d in c.numbers(width, count)] if width else [base] * count
        key_ends = self._ends(c, count, flags & FIXED_KEYS, key_width)
        value_ends = self._ends(c, count, flags & FIXED_VALUES, value_width)
        prefix = c.take(prefix_size)
        if c.at != keys_at:
            c.fail(f"the suffixes begin at {c.at}, not {keys_at}")
        keys = self._cut(c, key_ends)
        if c.at != values_at:
            c.fail(f"the values begin at {c.at}, not {values_at}")
        values = self._cut(c, value_ends)
        c.done("the block")
        return [Entry(prefix + k, kind, seq, v) for k, kind, seq, v in zip(keys, kinds, seqs, values)], tags

    @staticmethod
    def _ends(c, count, fixed, width):
        if fixed:
            return range(width, width * count + 1, width) if width else [0] * count
        if width:
            c.fail("a width of what is not fixed")
        return c.numbers("H", count)

    @staticmethod
    def _cut(c, ends):
        pieces, start = [], 0
        for end in ends:
            if end < start:
                c.fail("the ends do not rise")
            pieces.append(bytes(c.take(end - start)))
            start = end
        return pieces

    # --- the whole ------------------------------------------------------------------------------

    def _order(self):
        for n, (a, b) in enumerate(zip(self.entries, self.entries[1:])):
            if a.key > b.key or (a.key == b.key and a.seq <= b.seq):
                self._fail(self.offsets[self.places[n + 1][0]], "entries out of order")

    def _totals(self):
        m, entries = self.meta, self.entries
        found = (len(entries), sum(e.kind == DELETE for e in entries),
                 sum(len(e.key) for e in entries), sum(len(e.value) for e in entries))
        said = (m.entries, m.tombstones, m.key_bytes, m.value_bytes)
        if found != said or self.before[-1] != len(entries):
            self._fail(self.footer_at, f"entries, deletes and bytes are {found}, not {said}")
        if entries and (entries[0].key, entries[-1].key) != (m.key_min, m.key_max):
            self._fail(self.footer_at, "the least or greatest key is another one")
        if any(e.seq and not m.seq_min <= e.seq <= m.seq_max for e in entries):
            self._fail(self.footer_at, "a sequence outside the range")

    def newest(self):
        """The newest version of each key, with its place."""
        last = None
        for entry, place in zip(self.entries, self.places):
            if entry.key != last:
                yield entry, place
                last = entry.key

    # --- filter and locator -----------------------------------------------------------------------

    def _fuse(self, c, code, seed, length, segments):
        cells = c.numbers(code, (segments + 2) * length)
        c.done("the cells")

        def probe(key_hash):
            m = mix((key_hash + seed) & _M)
            c0 = (m * segments * length) >> 64
            c1 = (c0 + length) ^ (m >> 18 & length - 1)
            c2 = (c0 + 2 * length) ^ (m & length - 1)
            return cells[c0] ^ cells[c1] ^ cells[c2], (m * 0x9e3779b97f4a7c15 & _M) >> 32
        return probe

    def _filter(self, c):
        probe = self._fuse(c, "B", c.u64(), c.u32(), c.u32())
        for entry, _ in self.newest():
            found, fingerprint = probe(hash64(entry.key))
            if found != fingerprint >> 24:
                c.fail(f"the filter denies the key {entry.key!r}")

    def _locator(self, c):
        seed, length, segments = c.u64(), c.u32(), c.u32()
        bits = c.u8()
        if bits > 10 or any(c.take(7)):
            c.fail("a malformed locator")
        probe = self._fuse(c, "H", seed, length, segments)
        for entry, (_, slot) in self.newest():
            found, fingerprint = probe(hash64(entry.key))
            if found & (1 << bits) - 1 != slot or found >> bits != (fingerprint >> 16) >> bits:
                c.fail(f"the locator misplaces the key {entry.key!r}")
