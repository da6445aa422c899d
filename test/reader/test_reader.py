# SPDX-License-Identifier: MIT
"""Library and independent reader agree on stores of every kind, and on streams.

ctest: timeout=240
"""
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "cli")]
from cli_support import PEAT, SEED, Cli, any_bytes_entries, main  # noqa: E402
from codec import zstd_available  # noqa: E402
from cursor import Damage, Unsupported  # noqa: E402
from manifest import read_state, read_superblock  # noqa: E402
from peat_reader import read_stream, tsv  # noqa: E402

READER = os.path.join(HERE, "peat_reader.py")


class Stores(Cli):
    """Each stage of a store's life is read by both."""

    def same(self, store="s"):
        """The records that both found, as `peat dump` prints them."""
        expected = self.peat("dump", "-q", store)
        run = subprocess.run([sys.executable, "-B", READER, store], cwd=self.dir, capture_output=True,
                             timeout=200)
        self.assertEqual(run.returncode, 0, run.stderr.decode())
        self.assertTrue(run.stdout == expected, self.difference(run.stdout, expected))
        return expected

    @staticmethod
    def difference(found, expected):
        found, expected = found.split(b"\n"), expected.split(b"\n")
        for n, (a, b) in enumerate(zip(found, expected)):
            if a != b:
                return f"line {n + 1}: the reader has {a[:200]!r}, peat dump {b[:200]!r}"
        return f"the reader has {len(found)} lines, peat dump {len(expected)}"

    def load(self, entries, *options):
        text = b"".join(k.hex().encode() + b"\t" + v.hex().encode() + b"\n" for k, v in entries)
        self.peat("load", "-q", "-k", "hex", "-v", "hex", *options, "s", stdin=text)

    def life(self, codec):
        """Loads, overwrites, deletes, with and without tables under the log; the expected state."""
        pick = random.Random(SEED)
        words = [b"%d " % pick.randrange(300) for _ in range(50)]
        state = dict(any_bytes_entries())
        for n in range(3000):
            state[b"key %06d" % pick.randrange(10 ** 6)] = b"".join(pick.choices(words, k=pick.randrange(30)))
        state[b"\xff" * 65535] = b"the longest key"
        state[b"prefix" * 200 + b"1"] = state[b"prefix" * 200 + b"2"] = b"long separators"
        for size in (4000, 5000, 17000, 100000, 700000):  # up to blocks and records of their own
            state[b"large %d" % size] = pick.randbytes(size // 2) + bytes(size // 2)

        def expect(stage):
            lines = self.same().count(b"\n")
            self.assertEqual(lines, len(state), stage)

        self.load(state.items(), "-c", codec)
        expect("in the log only")
        self.peat("compact", "-q", "-c", codec, "s")
        expect("one run")
        again = {key: b"second" for key in pick.sample(sorted(state), 500)}
        again.update((b"new %d" % n, b"") for n in range(300))
        state.update(again)
        self.load(again.items(), "-c", codec)
        expect("log over one run")
        gone = pick.sample(sorted(k for k in state if len(k) < 1000), 400)
        self.peat("del", "-q", "-k", "hex", "s", *(k.hex() for k in gone[:200]))
        for key in gone[:200]:
            del state[key]
        expect("deletes in the log")
        self.peat("compact", "-q", "-c", codec, "s")
        self.peat("del", "-q", "-k", "hex", "s", *(k.hex() for k in gone[200:]))
        for key in gone[200:]:
            del state[key]
        expect("compacted, and deletes over it")
        self.assertGreater(len(os.listdir(self.path("s"))), 3)

    def test_uncompressed(self):
        self.life("none")

    def test_lz4(self):
        self.life("lz4")

    def test_zstd(self):
        if not zstd_available():
            self.skipTest("neither a zstd module nor libzstd is here")
        self.load([(b"a", b"b")])
        probe = subprocess.run([PEAT, "compact", "-q", "-c", "zstd", self.path("s")], capture_output=True)
        if probe.returncode == 3 and b"zstd" in probe.stderr:
            self.skipTest("the library was built without zstd")
        shutil.rmtree(self.path("s"))
        self.life("zstd")

    def test_empty_store(self):
        self.peat("put", "s", "a", "1")
        self.peat("del", "s", "a")
        self.assertEqual(self.same(), b"")
        self.peat("compact", "-q", "s")
        self.assertEqual(self.same(), b"")

    def test_many_slices_and_partitions(self):
        """Little memory: dozens of flushes, then merges and a split (partitions are 8 MB and more)."""
        pick = random.Random(SEED)
        entries = [(b"%07d" % pick.randrange(10 ** 6), pick.randbytes(1400)) for _ in range(13000)]
        self.load(entries[:2000], "-m", "1M", "-c", "none")
        self.same()
        self.load(entries[2000:], "-m", "4M", "-c", "none", "--settle")
        slot = read_superblock(self.path("s"), lambda text: None)
        state = read_state(self.path("s"), slot, lambda text: None)
        self.assertGreater(len(state.partitions), 1)
        self.load([(k, b"second") for k, _ in entries[:1500]], "-m", "1M")
        lines = self.same().count(b"\n")
        self.assertEqual(lines, len(dict(entries)))

    def test_killed_loaders(self):
        """Killed in mid-load, several times on the same store; what was acknowledged is there."""
        for round_number in range(4):
            with self.subTest(round=round_number):
                acknowledged = self.killed_load(round_number)
                lines = self.same()
                found = set(re.findall(rb"^round %d (\d+)\t" % round_number, lines, re.M))
                self.assertTrue({b"%06d" % n for n in range(acknowledged)} <= found)

    def killed_load(self, round_number):
        """Feeds a loader until it has acknowledged some, kills it; how many it has acknowledged."""
        options = ["--sync"] if round_number == 2 else []
        ack = self.path("ack")
        with open(ack, "wb"):
            pass
        loader = subprocess.Popen([PEAT, "load", "-q", "-m", "1M", "--batch", "7", "--ack", ack,
                                   *options, "s"], cwd=self.dir, env=self.env,
                                  stdin=subprocess.PIPE)
        fed = 0
        try:
            while self.acknowledged(ack) < 1500:
                loader.stdin.write(b"".join(b"round %d %06d\tvalue %d of the round\n" % (round_number, n, n)
                                            for n in range(fed, fed + 100)))
                loader.stdin.flush()
                fed += 100
        finally:
            loader.send_signal(signal.SIGKILL)
            loader.wait()
            try:
                loader.stdin.close()
            except BrokenPipeError:
                pass
        self.assertEqual(loader.returncode, -signal.SIGKILL)
        return self.acknowledged(ack)

    @staticmethod
    def acknowledged(ack):
        with open(ack, "rb") as f:
            lines = f.read().split(b"\n")
        return int(lines[-2]) if len(lines) > 1 else 0


class Streams(Cli):
    def test_export_of_any_bytes(self):
        self.store(any_bytes_entries(3000) + [(b"large", b"x" * 600000)])
        stream = self.peat("export", "-q", "s")
        self.assertEqual(tsv(read_stream(io.BytesIO(stream), "stream")), self.peat("dump", "-q", "s"))
        run = subprocess.run([sys.executable, "-B", READER, "-"], input=stream, capture_output=True,
                             timeout=60)
        self.assertEqual((run.returncode, run.stdout), (0, self.peat("dump", "-q", "s")))

    def test_every_flipped_byte_and_every_cut_is_refused(self):
        self.store(any_bytes_entries(20))
        stream = self.peat("export", "-q", "s")
        for at in range(len(stream)):
            flipped = bytearray(stream)
            flipped[at] ^= 1 << at % 8
            for bad in (bytes(flipped), stream[:at]):
                with self.assertRaises((Damage, Unsupported), msg=f"byte {at}"):
                    read_stream(io.BytesIO(bad), "stream")

    def test_library_refuses_the_same(self):
        self.store(any_bytes_entries(20))
        stream = self.peat("export", "-q", "s")
        for at in range(0, len(stream), len(stream) // 12):
            flipped = bytearray(stream)
            flipped[at] ^= 0x10
            for bad in (bytes(flipped), stream[:at]):
                self.peat("import", "-q", "copy", stdin=bad, code=3)
                self.assertFalse(os.path.exists(self.path("copy/PEAT")))


if __name__ == "__main__":
    main()
