# SPDX-License-Identifier: MIT
"""The log: src/log/log_format.md."""
import os
import re
import struct

from cursor import Damage
from manifest import read_file
from operations import operations
from xxh3 import checksum, hash64, mix, place

HEADER_ID = 0x474f4c5754414550
HEADER = 128
RECORD = 32
FULL, FIRST, NEXT, LAST, IDLE, SEAL = range(1, 7)


class Header:
    def __init__(self, data, at):
        self.at = at
        (self.check, self.magic, self.version, _, self.store_id, self.open_count, self.serial,
         self.random, self.slot, self.size, self.before_serial, self.before_epoch, self.before_end,
         self.promise) = struct.unpack_from("<Q8s2I10Q", data, at)
        self.ok = self.magic == b"PEATWLOG" and self.version == 1 and \
            self.check == checksum(data[at + 8:at + HEADER], HEADER_ID, at)
        self.epoch = mix(self.store_id ^ mix(self.open_count ^ mix(self.serial ^ mix(self.random))))


class Record:
    def __init__(self, data, at, epoch):
        (self.check, size, self.seq, self.count, gap,
         self.payload_check) = struct.unpack_from("<2IQ2IQ", data, at)
        self.at, self.size, self.kind = at, size & 0x0fffffff, size >> 28
        self.end = at + RECORD + self.size
        self.promise = self.seq - gap if gap else 0
        self.ok = self.check == checksum(data[at + 4:at + RECORD], epoch, at) & 0xffffffff


class Segment:
    def __init__(self, name, data, header):
        self.name, self.data, self.header = name, data, header
        self.end = HEADER  # where its records stop, once they have been read
        self.sealed = self.final = False  # final: nothing can follow


def _segment(folder, name, store_id, serial_min, note):
    """The segment in a file, or None when the file is dead."""
    data = read_file(folder, name)
    places = [0, len(data) - HEADER] if len(data) >= 2 * HEADER else []
    good = [h for h in (Header(data, at) for at in places) if h.ok]
    if not good:
        return None
    if len(good) < 2:
        note(f"{name}: one of the two headers does not verify")
    header = max(good, key=lambda h: h.serial)
    if header.serial < serial_min:
        return None
    if header.slot != int(name[2:]) or header.store_id != store_id:
        raise Damage(name, header.at + 24, "the header of another slot or store")
    if len(data) < header.size:
        raise Damage(name, len(data), f"{header.size} bytes expected")
    return Segment(name, data, header)


class Log:
    """ops: (sequence, kind, key, value), in order, all above state.seq_flushed."""

    def __init__(self, folder, store_id, state, note):
        self.state, self.ops, self.last_seq = state, [], 0
        self.pending = None  # (segment, record, payloads) of a record whose last fragment is to come
        names = [n for n in sorted(os.listdir(folder)) if re.fullmatch(r"w-\d{6,}", n)]
        live = [s for n in names if (s := _segment(folder, n, store_id, state.log_serial_min, note))]
        live.sort(key=lambda s: s.header.serial)
        self._recorded(live)
        log = []
        for s in live:
            if self._continues(log, s.header):
                log.append(s)
                self._read(s, stepping=len(log) == 1)
        if self.pending:
            self._cut(log)
        self._promises(live, log)

    def _recorded(self, live):
        found = {s.header.serial for s in live}
        for serial, (slot, end) in self.state.ends.items():
            if serial >= self.state.log_serial_min and serial not in found:
                raise Damage(f"w-{slot:06d}", 0, f"segment {serial}, of {end} bytes, is missing")

    def _continues(self, log, h):
        if not log:
            return h.before_serial == 0 or h.before_serial < self.state.log_serial_min
        last = log[-1]
        return (h.before_serial, h.before_end) == (last.header.serial, last.end) and \
            h.before_epoch in (0, last.header.epoch)

    def _read(self, s, stepping):
        """Reads the records of s up to where they stop; stepping: over the rest of a record first."""
        recorded = self.state.ends.get(s.header.serial)
        limit = min(recorded[1] if recorded else s.header.size, s.header.size - HEADER)
        at, s.sealed = HEADER, False
        while at + RECORD <= limit:
            r = Record(s.data, at, s.header.epoch)
            if not r.ok or r.end > limit:
                break
            if not (stepping and r.kind in (NEXT, LAST)):
                if not self._take(s, r):
                    break
                stepping = False
            stepping = stepping and r.kind == NEXT
            at = min(r.end + -r.end % 16, limit)
            s.sealed = r.kind == SEAL
        s.end = at
        s.final = s.sealed or recorded is not None
        if recorded and at < recorded[1]:
            raise Damage(s.name, at, f"a record before the recorded end {recorded[1]} does not verify")

    def _cut(self, log):
        """A record without its last fragment never was: the log ends before it."""
        s, r, _ = self.pending
        if s.header.serial in self.state.ends:
            raise Damage(s.name, r.at, "the end of this record is missing")
        del log[log.index(s) + 1:]
        s.end, s.final = r.at, False

    def _take(self, s, r):
        """One record whose header verifies. False: its payload does not, or it does not belong here."""
        payload = s.data[r.at + RECORD:r.end]
        mark = r.kind in (IDLE, SEAL)
        if not FULL <= r.kind <= SEAL or mark != (r.count == 0) or (mark and payload):
            return False
        if (r.kind in (NEXT, LAST)) != bool(self.pending):
            return False
        if r.kind == FIRST:
            self._rises(s, r)
            self.pending = (s, r, [payload])
            return True
        if self.pending:
            if (r.seq, r.count) != (self.pending[1].seq, self.pending[1].count):
                return False
            self.pending[2].append(payload)
            if r.kind == NEXT:
                return True
            payload = b"".join(self.pending[2])
        if r.payload_check != place(hash64(payload) ^ r.seq, s.header.epoch, r.at):
            return False
        if not mark:
            if not self.pending:
                self._rises(s, r)
            self._apply(s, r, payload)
        self.pending = None
        return True

    def _rises(self, s, r):
        if r.seq <= self.last_seq:
            raise Damage(s.name, r.at, f"sequence {r.seq} after {self.last_seq}")

    def _apply(self, s, r, payload):
        ops = list(operations(payload, s.name, r.at + RECORD))
        if len(ops) != r.count:
            raise Damage(s.name, r.at, f"{r.count} operations expected, {len(ops)} found")
        self.last_seq = r.seq + r.count - 1
        if self.last_seq > self.state.seq_flushed:
            self.ops += [(r.seq + n, *op) for n, op in enumerate(ops)]

    def _promises(self, live, log):
        """A promise above what was read proves that something is lost."""
        known = max(self.last_seq, self.state.seq_flushed)
        where = (log[-1].name, log[-1].end) if log else (live[0].name, 0) if live else None
        if self.state.seq_durable > known:
            raise Damage(*(where or ("w-000001", 0)), f"the log ends at {known}; the manifest promises "
                         f"{self.state.seq_durable}")
        for s in live:
            if s.header.promise > known:
                raise Damage(*where, f"the log ends at {known}; {s.name} promises {s.header.promise}")
            if s in log and (s is not log[-1] or s.final):
                continue
            for at in range(s.end, s.header.size - HEADER - RECORD + 1, 16):
                seq, _, gap = struct.unpack_from("<QII", s.data, at + 8)
                if gap and seq - gap > known and Record(s.data, at, s.header.epoch).ok:
                    raise Damage(*where, f"the log ends at {known}; {s.name} @{at} promises {seq - gap}")
