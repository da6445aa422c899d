# SPDX-License-Identifier: MIT
"""PEAT and the manifest: src/version/manifest_format.md and src/version/edit_format.md."""
import os
import re
import struct

from cursor import Cursor, Damage, Unsupported
from table import HAS_LONG_PREFIX, Meta
from xxh3 import checksum

SLOT = 4096
SLOT_ID, HEADER_ID = 0x544145505f425353, 0x494e414d54414550
HEADER_BYTES, RECORD_HEAD = 48, 20
NAMES_AT, NAME = 72, re.compile(rb"[a-z0-9-]{1,31}")
FEATURES = {b"long-prefix"}  # that this reader knows


class Slot:
    def __init__(self, data, at):
        self.at = at
        (self.check, self.magic, self.version, self.app_id, self.store_id, self.open_count,
         self.generation, self.manifest, self.promise, self.chain) = struct.unpack_from("<Q8s2I6Q", data, at)

    def verifies(self, data):
        body = data[self.at + 8:self.at + SLOT]
        return self.magic == b"PEATSLOT" and self.check == checksum(body, SLOT_ID, self.at)


    def names(self, data):
        """The features of a slot that verifies."""
        if self.version < 2:
            return []
        found, at = [], self.at + NAMES_AT
        while data[at]:
            name = data[at + 1:at + 1 + data[at]]
            at += 1 + len(name)
            if not NAME.fullmatch(name) or name in found or at >= self.at + SLOT:
                raise Damage("PEAT", at, f"{name!r} is not a feature's name")
            found.append(name)
        if not found:
            raise Damage("PEAT", at, "a store of format 2 without a feature")
        return found


class Layer:
    def __init__(self, c):
        self.file, self.bytes, self.entries, self.tombstones, self.obsolete = (c.varint() for _ in range(5))


class Partition:
    def __init__(self, lower, slices, bottom):
        self.lower, self.slices, self.bottom = lower, slices, bottom


class State:
    """What the edits add up to."""

    def __init__(self):
        self.tables, self.partitions, self.ends = {}, {}, {}
        self.seq_flushed = self.log_serial_min = self.edit_number = self.seq_durable = 0
        self.unfinished = False

    def apply(self, c):
        """One edit, applied whole."""
        while c.left():
            start = c.at
            kind = c.varint()
            item = getattr(self, f"_item_{kind}", None)
            if item is None:
                c.at = start
                c.fail(f"unknown item {kind}")
            item(c)
        self._check(c)

    def _item_1(self, c):
        at = c.base + c.at
        meta = Meta(c.sized(), c.file, at)
        if meta.number in self.tables:
            c.fail(f"table {meta.number} is introduced twice")
        self.tables[meta.number] = meta

    def _layer(self, c):
        layer = Layer(c)
        if layer.file not in self.tables:
            c.fail(f"a layer of table {layer.file}, which was not introduced")
        return layer

    def _item_2(self, c):
        ident, lower = c.varint(), bytes(c.sized())
        slices, bottom = c.varint(), c.varint()
        layers = [self._layer(c) for _ in range(slices + bottom)]
        self.partitions[ident] = Partition(lower, layers[:slices], layers[slices:])

    def _known(self, c):
        ident = c.varint()
        if ident not in self.partitions:
            c.fail(f"partition {ident} is not there")
        return ident

    def _item_3(self, c):
        del self.partitions[self._known(c)]

    def _item_4(self, c):
        ident = self._known(c)
        self.partitions[ident].slices.insert(0, self._layer(c))

    def _item_5(self, c):
        self.seq_flushed, self.log_serial_min, _, _, self.edit_number = (c.varint() for _ in range(5))
        self.seq_durable, self.unfinished = 0, False

    def _item_6(self, c):
        self.ends = {}
        for _ in range(c.varint()):
            slot, serial, end, _ = (c.varint() for _ in range(4))
            self.ends[serial] = (slot, end)

    def _item_7(self, c):
        self.seq_durable = c.varint()

    def _item_8(self, c):
        self.unfinished = True

    def _check(self, c):
        lowers = [p.lower for p in self.sorted_partitions()]
        if not lowers or lowers[0] != b"" or len(set(lowers)) != len(lowers):
            c.fail("the partitions do not divide the keys")
        for p in self.partitions.values():
            metas = [self.tables[layer.file] for layer in p.bottom]
            for left, right in zip(metas, metas[1:]):
                if left.key_max >= right.key_min:
                    c.fail(f"bottom tables {left.number} and {right.number} overlap")

    def sorted_partitions(self):
        return sorted(self.partitions.values(), key=lambda p: p.lower)

    def live_files(self):
        return sorted({layer.file for p in self.partitions.values() for layer in p.slices + p.bottom})


def read_file(folder, name):
    try:
        with open(os.path.join(folder, name), "rb") as f:
            return f.read()
    except FileNotFoundError:
        raise Damage(name, 0, "the file is missing") from None


def read_superblock(folder, note, highest=2):
    """`highest` is 1 for a reader as it was before format 2."""
    data = read_file(folder, "PEAT")
    if not data.strip(b"\0"):
        raise Damage("PEAT", 0, "empty: not a store")
    good = []
    for at in (0, SLOT):
        if at + SLOT <= len(data) and Slot(data, at).verifies(data):
            good.append(Slot(data, at))
        else:
            note(f"PEAT @{at}: the slot does not verify")
    if not good:
        raise Damage("PEAT", 0, "no slot verifies")
    newest = max(good, key=lambda slot: slot.generation)
    if newest.version > highest:
        raise Unsupported(f"PEAT @{newest.at + 16}: format version {newest.version}")
    newest.features = newest.names(data)
    for name in newest.features:
        if name not in FEATURES:
            raise Unsupported(f"PEAT @{newest.at + NAMES_AT}: the feature {name.decode()}")
    return newest


def manifest_records(data, name, slot, note):
    """Yields (offset of the payload, payload): all up to the promise, and whole ones behind it."""
    header = data[8:HEADER_BYTES]
    file_id = struct.unpack_from("<Q", data)[0] if len(data) >= 8 else 0
    if len(data) < slot.promise or slot.promise < HEADER_BYTES:
        raise Damage(name, len(data), f"{slot.promise} bytes are promised")
    if file_id != checksum(header, HEADER_ID, 0) or header[:8] != b"PEATMANI":
        raise Damage(name, 0, "the header does not verify")
    version, zero, store_id, number = struct.unpack_from("<2I2Q", header, 8)
    if version != 1 or zero != 0 or store_id != slot.store_id or number != slot.manifest:
        raise Damage(name, 16, "another version, store or number")
    chain, at = file_id, HEADER_BYTES
    while True:
        if at == slot.promise and chain != slot.chain:
            raise Damage(name, at, "the chain is not that of PEAT")
        head = data[at:at + RECORD_HEAD].ljust(RECORD_HEAD, b"\0")
        check, before, size = struct.unpack("<2QI", head)
        end = at + RECORD_HEAD + size
        whole = end <= len(data) and check == checksum(data[at + 8:end], file_id, at) and before == chain
        if at < slot.promise and (not whole or end > slot.promise):
            raise Damage(name, at, "a promised record does not verify")
        if not whole:
            break
        yield at + RECORD_HEAD, data[at + RECORD_HEAD:end]
        chain, at = check, end
    if data[at:].strip(b"\0"):
        note(f"{name} @{at}: a torn tail, ignored")


def read_state(folder, slot, note):
    name = f"m-{slot.manifest:06d}"
    state = State()
    for at, payload in manifest_records(read_file(folder, name), name, slot, note):
        state.apply(Cursor(payload, name, at))
    if not state.partitions:
        raise Damage(name, HEADER_BYTES, "no state")
    for file in state.live_files():
        if state.tables[file].flags & HAS_LONG_PREFIX and b"long-prefix" not in slot.features:
            raise Damage("PEAT", slot.at + NAMES_AT, f"table {file} uses what is not named")
    if state.unfinished:
        raise Unsupported(f"{name}: the store is unfinished")
    return state
