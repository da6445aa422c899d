# SPDX-License-Identifier: MIT
"""Random work on a store with tiny sizes, and the independent reader after each bout of it: table
blocks with sequences and keys that go on, records over many segments, recorded ends, splits.

ctest: timeout=240

The library runs in this process without threads, so that its files stand still between two calls:
what the reader finds is what a killed process would leave. A copy of the directory that is opened in
its place is such a process.
"""
import ctypes
import os
import random
import shutil
import sys
import tempfile
import unittest
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import table  # noqa: E402
from log import FIRST, SEAL, Log  # noqa: E402
from manifest import State  # noqa: E402
from peat_reader import read_store  # noqa: E402

SEED = int(os.environ.get("PEAT_SEED", "11"))
LIB = os.path.join(os.environ.get("PEAT_LIB_DIR") or "build", "libpeat.so")
KEYSPACE = b"\0\0\0\1"
THREADS_NONE = -1
CODECS = {"none": 1, "lz4": 2}
CLOSE, DIE = 9, 10  # among the kinds of upkeep


class Slice(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class TestOptions(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                ("size", "memtable_bytes", "block_bytes", "partition_bytes", "table_bytes", "segment_bytes")]


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("memory_bytes", ctypes.c_size_t),
                ("space_target", ctypes.c_double), ("sync_interval_ms", ctypes.c_uint32),
                ("threads", ctypes.c_int), ("compression", ctypes.c_int), ("create", ctypes.c_int),
                ("read_only", ctypes.c_bool), ("error_if_exists", ctypes.c_bool), ("no_log", ctypes.c_bool),
                ("host", ctypes.c_void_p), ("test", ctypes.POINTER(TestOptions))]


class Error(ctypes.Structure):
    _fields_ = [("rc", ctypes.c_int), ("os_errno", ctypes.c_int), ("message", ctypes.c_char * 512)]


class Db:
    """The few calls of peat.h that are needed here. Anything but PEAT_OK is an AssertionError."""

    def __init__(self, lib, folder, codec):
        self.lib, self.handle = lib, ctypes.c_void_p()
        sizes = TestOptions(ctypes.sizeof(TestOptions), 32 << 10, 4096, 32 << 10, 16 << 10, 8 << 10)
        options = Options(size=ctypes.sizeof(Options), memory_bytes=1 << 20, threads=THREADS_NONE,
                          compression=CODECS[codec], test=ctypes.pointer(sizes))
        error = Error()
        rc = lib.peat_open(folder.encode(), ctypes.byref(options), ctypes.byref(self.handle),
                           ctypes.byref(error))
        assert rc == 0, error.message

    def call(self, name, *arguments):
        rc = getattr(self.lib, name)(self.handle, *arguments)
        assert rc == 0, f"{name}: {rc}"

    def put(self, key, value):
        self.call("peat_put", None, Slice(key, len(key)), Slice(value, len(value)))

    def delete(self, key):
        self.call("peat_delete", None, Slice(key, len(key)))

    def write(self, changes):
        batch = ctypes.c_void_p()
        assert self.lib.peat_batch_new(ctypes.byref(batch)) == 0
        for key, value in changes:
            if value is None:
                rc = self.lib.peat_batch_delete(batch, Slice(key, len(key)))
            else:
                rc = self.lib.peat_batch_put(batch, Slice(key, len(key)), Slice(value, len(value)))
            assert rc == 0
        self.call("peat_write", None, batch)
        self.lib.peat_batch_free(batch)

    def compact(self, lower, upper):
        bounds = [Slice(b, len(b)) if b is not None else Slice(None, 0) for b in (lower, upper)]
        self.call("peat_compact", *bounds, None)

    def snapshot(self):
        snapshot = ctypes.c_void_p()
        self.call("peat_snapshot_open", ctypes.byref(snapshot))
        return snapshot


class Shapes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.environ.get("PEAT_SANITIZE"):
            raise unittest.SkipTest("a sanitizer's library cannot be loaded into Python")
        cls.lib = ctypes.CDLL(LIB)
        for name in ("close", "put", "delete", "write", "compact", "flush", "settle", "sync", "snapshot_open",
                     "snapshot_close", "batch_put", "batch_delete", "batch_free"):
            getattr(cls.lib, f"peat_{name}").argtypes = {
                "put": [ctypes.c_void_p, ctypes.c_void_p, Slice, Slice],
                "delete": [ctypes.c_void_p, ctypes.c_void_p, Slice],
                "compact": [ctypes.c_void_p, Slice, Slice, ctypes.c_void_p],
                "batch_put": [ctypes.c_void_p, Slice, Slice],
                "batch_delete": [ctypes.c_void_p, Slice],
                "settle": [ctypes.c_void_p, ctypes.c_uint64],
                "write": [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p],
                "snapshot_open": [ctypes.c_void_p, ctypes.c_void_p],
            }.get(name, [ctypes.c_void_p])
        cls.seen = Counter()

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="peat-shapes-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def life(self, seed, codec):
        """Random work; the reader and the oracle (a dict) are compared again and again."""
        pick = random.Random(seed)
        self.folder, self.oracle, self.snapshots, self.lives = os.path.join(self.root, "0"), {}, [], 0
        self.db = Db(self.lib, self.folder, codec)
        for bout in range(30):
            for _ in range(pick.randrange(60)):
                self.change(pick)
            # each life is closed and killed at least once
            self.upkeep(pick, codec, {10: CLOSE, 20: DIE}.get(bout, pick.randrange(12)))
            found = {k: v for k, v in read_store(self.folder, self.note)}
            expected = {KEYSPACE + k: v for k, v in self.oracle.items()}
            if found != expected:
                self.fail(f"seed {seed}, bout {bout}: {self.difference(found, expected)}")
        self.close()

    def note(self, text):
        self.seen["notes"] += 1

    @staticmethod
    def difference(found, expected):
        keys = sorted(k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k))
        what = [str(side.get(keys[0]))[:60] for side in (found, expected)]
        return f"{len(keys)} keys differ, {keys[0][:40]!r}: {what[0]} and not {what[1]}"

    def key(self, pick):
        if pick.random() < 0.2:
            return b"hot"
        key = b"%04d" % pick.randrange(600)
        return key + b"long" * 60 if pick.random() < 0.02 else key

    def value(self, pick):
        size = pick.choice((0, 3, 30, 100, 700))
        if pick.random() < 0.01:
            size = pick.choice((5000, 20000, 60000))
        return pick.randbytes(size // 2) + bytes(size - size // 2)

    def change(self, pick):
        what = pick.random()
        if what < 0.7:
            key, value = self.key(pick), self.value(pick)
            self.db.put(key, value)
            self.oracle[key] = value
        elif what < 0.9:
            key = self.key(pick)
            self.db.delete(key)
            self.oracle.pop(key, None)
        else:
            changes = [(self.key(pick), self.value(pick) if pick.random() < 0.7 else None) for _ in range(20)]
            self.db.write(changes)
            for key, value in changes:
                self.oracle[key] = value
                if value is None:
                    del self.oracle[key]

    def upkeep(self, pick, codec, what):
        if what < 2:
            self.db.call("peat_flush")
        elif what == 2:
            self.db.compact(None, None)
        elif what == 3:
            self.db.compact(*sorted((self.key(pick), self.key(pick))))
        elif what == 4:
            self.db.call("peat_settle", 2 ** 64 - 1)
        elif what == 5:
            self.db.call("peat_sync")
        elif what < 8:
            self.snapshots.append(self.db.snapshot())
        elif what == 8 and self.snapshots:
            self.lib.peat_snapshot_close(self.snapshots.pop(pick.randrange(len(self.snapshots))))
        elif what == CLOSE:
            self.close()
            self.db = Db(self.lib, self.folder, codec)
        elif what == DIE:
            self.die(codec)

    def close(self):
        while self.snapshots:
            self.lib.peat_snapshot_close(self.snapshots.pop())
        self.assertEqual(self.lib.peat_close(self.db.handle), 0)

    def die(self, codec):
        """The store is opened as a killed process would have left it."""
        self.lives += 1
        copy = os.path.join(self.root, str(self.lives))
        shutil.copytree(self.folder, copy)
        self.close()
        shutil.rmtree(self.folder)
        self.folder = copy
        self.db = Db(self.lib, self.folder, codec)

    def watch(self, owner, name, look):
        """Counts what the reader meets: look(arguments) is a name, or None."""
        real = getattr(owner, name)

        def spy(*arguments):
            self.seen.update(look(*arguments))
            return real(*arguments)
        setattr(owner, name, spy)
        self.addCleanup(setattr, owner, name, real)

    def test_reader_follows_random_work(self):
        flags = ((table.SEQS, "sequences"), (table.KINDS, "kinds"), (table.CONTINUES, "keys that go on"),
                 (table.FIXED_KEYS, "fixed keys"), (table.FIXED_VALUES, "fixed values"))
        kinds = {FIRST: "fragments", SEAL: "seal"}
        self.watch(Log, "_take", lambda log, s, r: [kinds.get(r.kind, "records")])
        self.watch(State, "_check", lambda state, c: ["partitions"] * (len(state.partitions) > 1) +
                   ["recorded ends"] * bool(state.ends))
        self.watch(table.Table, "_small", lambda t, c, b: [name for bit, name in flags if c.data[2] & bit])
        self.watch(table.Table, "_large", lambda t, c, b: ["large blocks"])
        for n in range(3):
            codec = ("none", "lz4")[n % 2]
            with self.subTest(seed=SEED + n, codec=codec):
                self.life(SEED + n, codec)
            self.setUp()
        for name in ("sequences", "kinds", "keys that go on", "large blocks", "fixed keys", "fixed values",
                     "fragments", "seal", "records", "partitions", "recorded ends"):
            self.assertGreater(self.seen[name], 0, f"no {name} were met: {self.seen}")


if __name__ == "__main__":
    print(f"seed {SEED}: rerun with PEAT_SEED={SEED} PEAT_LIB_DIR={os.path.dirname(LIB)} {sys.argv[0]}")
    unittest.main()
