# SPDX-License-Identifier: MIT
"""XXH3 with 64 bits and seed 0, after the published specification of xxHash, and the two functions
that src/version/manifest_format.md builds on it."""
import struct

_M = 0xffffffffffffffff
_P32_1, _P32_2, _P32_3 = 0x9e3779b1, 0x85ebca77, 0xc2b2ae3d
_P64_1, _P64_2, _P64_3 = 0x9e3779b185ebca87, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9
_P64_4, _P64_5 = 0x85ebca77c2b2ae63, 0x27d4eb2f165667c5
_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
_SECRET_BYTES = 192
_STRIPES = 16  # of 64 bytes in a block: (192 - 64) / 8
_u64 = struct.Struct("<Q").unpack_from


def _secret64(at, count=1):
    return struct.unpack_from(f"<{count}Q", _SECRET, at)


_STRIPE_SECRETS = [_secret64(8 * n, 8) for n in range(_STRIPES)]
_LAST_SECRET = _secret64(_SECRET_BYTES - 64 - 7, 8)
_SCRAMBLE_SECRET = _secret64(_SECRET_BYTES - 64, 8)
_MERGE_SECRET = _secret64(11, 8)


def _fold(a, b):
    product = a * b
    return (product & _M) ^ (product >> 64)


def _avalanche(h):
    h ^= h >> 37
    h = h * 0x165667919e3779f9 & _M
    return h ^ h >> 32


def _avalanche64(h):
    h ^= h >> 33
    h = h * _P64_2 & _M
    h ^= h >> 29
    h = h * _P64_3 & _M
    return h ^ h >> 32


def _rotl(h, n):
    return (h << n | h >> 64 - n) & _M


def _upto16(data, size):
    if size > 8:
        s = _secret64(24, 4)
        low = _u64(data, 0)[0] ^ s[0] ^ s[1]
        high = _u64(data, size - 8)[0] ^ s[2] ^ s[3]
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche((size + swapped + high + _fold(low, high)) & _M)
    if size >= 4:
        first, last = struct.unpack_from("<I", data)[0], struct.unpack_from("<I", data, size - 4)[0]
        s = _secret64(8, 2)
        h = (last + (first << 32)) ^ s[0] ^ s[1]
        h ^= _rotl(h, 49) ^ _rotl(h, 24)
        h = h * 0x9fb21c651e98df25 & _M
        h ^= (h >> 35) + size
        h = h * 0x9fb21c651e98df25 & _M
        return h ^ h >> 28
    if size > 0:
        word = data[0] << 16 | data[size >> 1] << 24 | data[size - 1] | size << 8
        return _avalanche64(word ^ int.from_bytes(_SECRET[0:4], "little")
                            ^ int.from_bytes(_SECRET[4:8], "little"))
    s = _secret64(56, 2)
    return _avalanche64(s[0] ^ s[1])


def _mix16(data, at, secret_at):
    low, high = struct.unpack_from("<2Q", data, at)
    s = _secret64(secret_at, 2)
    return _fold(low ^ s[0], high ^ s[1])


def _upto240(data, size):
    h = size * _P64_1
    if size <= 128:
        for i in range((size - 1) // 32, -1, -1):
            h += _mix16(data, 16 * i, 32 * i) + _mix16(data, size - 16 * (i + 1), 32 * i + 16)
        return _avalanche(h & _M)
    for i in range(8):
        h += _mix16(data, 16 * i, 16 * i)
    h = _avalanche(h & _M)
    for i in range(8, size // 16):
        h += _mix16(data, 16 * i, 16 * (i - 8) + 3)
    return _avalanche((h + _mix16(data, size - 16, 136 - 17)) & _M)


def _stripe(acc, data, at, secret):
    """Sums may grow beyond 64 bits here; _scramble and the end cut them."""
    words = struct.unpack_from("<8Q", data, at)
    for i in range(8):
        word = words[i]
        key = word ^ secret[i]
        acc[i ^ 1] += word
        acc[i] += (key & 0xffffffff) * (key >> 32)


def _scramble(acc):
    for i in range(8):
        a = acc[i] & _M
        acc[i] = ((a ^ a >> 47 ^ _SCRAMBLE_SECRET[i]) * _P32_1) & _M


def _long(data, size):
    acc = [_P32_3, _P64_1, _P64_2, _P64_3, _P64_4, _P32_2, _P64_5, _P32_1]
    stripes = (size - 1) // 64
    for n in range(stripes):
        _stripe(acc, data, 64 * n, _STRIPE_SECRETS[n % _STRIPES])
        if n % _STRIPES == _STRIPES - 1:
            _scramble(acc)
    _stripe(acc, data, size - 64, _LAST_SECRET)
    h = size * _P64_1
    for i in range(0, 8, 2):
        h += _fold((acc[i] & _M) ^ _MERGE_SECRET[i], (acc[i + 1] & _M) ^ _MERGE_SECRET[i + 1])
    return _avalanche(h & _M)


def hash64(data):
    size = len(data)
    if size <= 16:
        return _upto16(data, size)
    return _upto240(data, size) if size <= 240 else _long(data, size)


def mix(h):
    h ^= h >> 33
    h = h * 0xff51afd7ed558ccd & _M
    h ^= h >> 33
    h = h * 0xc4ceb9fe1a85ec53 & _M
    return h ^ h >> 33


def place(h, file_id, offset):
    """A hash bound to a place in a file."""
    return mix(h ^ mix(file_id ^ mix(offset + 0x9e3779b97f4a7c15 & _M)))


def checksum(data, file_id, offset):
    return place(hash64(data), file_id, offset)
