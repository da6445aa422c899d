# SPDX-License-Identifier: MIT
"""Decompression: LZ4 blocks after their published format; zstd by a library when there is one."""
import ctypes
import ctypes.util

from cursor import Unsupported


def lz4_block(data, size):
    """Decodes one LZ4 block to exactly size bytes, or raises ValueError."""
    out, at, end = bytearray(), 0, len(data)

    def length(nibble):
        nonlocal at
        total = nibble
        if nibble == 15:
            while True:
                byte = data[at]
                at += 1
                total += byte
                if byte != 255:
                    break
        return total

    try:
        while True:
            token = data[at]
            at += 1
            literals = length(token >> 4)
            if at + literals > end:
                raise ValueError("LZ4: literals behind the end")
            out += data[at:at + literals]
            at += literals
            if at == end:
                break
            distance = data[at] | data[at + 1] << 8
            at += 2
            if distance == 0 or distance > len(out):
                raise ValueError("LZ4: a match before the beginning")
            match = length(token & 15) + 4
            if len(out) + match > size:
                raise ValueError("LZ4: more bytes than the block has")
            while match:  # a match may reach into what it makes
                piece = out[-distance:][:match]
                out += piece
                match -= len(piece)
    except IndexError:
        raise ValueError("LZ4: the data stops inside a sequence") from None
    if len(out) != size:
        raise ValueError(f"LZ4: {len(out)} bytes, not {size}")
    return bytes(out)


def _zstd_of_the_system():
    try:
        library = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    except OSError:
        return None
    decompress = library.ZSTD_decompress
    decompress.restype = ctypes.c_size_t
    decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]

    def decode(data, size):
        out = ctypes.create_string_buffer(size + 1)
        if decompress(out, size, bytes(data), len(data)) != size:
            raise ValueError("zstd: the frame does not decode to its size")
        return out.raw[:size]
    return decode


def _zstd_module():
    try:
        from compression import zstd  # Python 3.14
    except ImportError:
        return None

    def decode(data, size):
        try:
            out = zstd.decompress(data)
        except zstd.ZstdError as error:
            raise ValueError(f"zstd: {error}") from None
        if len(out) != size:
            raise ValueError("zstd: the frame does not decode to its size")
        return out
    return decode


_ZSTD = _zstd_module() or _zstd_of_the_system()


def zstd_available():
    return _ZSTD is not None


def zstd_frame(data, size):
    if _ZSTD is None:
        raise Unsupported("blocks are compressed with zstd: neither a module nor libzstd is here")
    return _ZSTD(data, size)
