"""flagd's percentages: a value of any JSON type to a place below a total weight, the same in every language.

    place = (murmur3_x86_32(cbor(value), seed 0) * total) >> 32

CBOR is the canonical form of RFC 7049: the shortest number, keys by length and then by bytes. Numbers without fraction within
64 bits are whole numbers, so that 1 and 1.0 are one.
"""

from __future__ import annotations

import math
import struct
from typing import Any

MOST_WEIGHT = 2**31 - 1
_M = 0xFFFFFFFF


def place_of(value: Any, total: int) -> int:
    """Raises TypeError for what JSON does not know."""
    return (murmur3(cbor(value)) * total) >> 32


def cbor(value: Any) -> bytes:
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _whole(value)
        case float():
            return _whole(int(value)) if value.is_integer() and -(2**63) <= value < 2**64 else _fraction(value)
        case str():
            data = value.encode()
            return _head(3, len(data)) + data
        case list() | tuple():
            return _head(4, len(value)) + b"".join(map(cbor, value))
        case dict():
            pairs = sorted(((cbor(key), cbor(item)) for key, item in value.items()), key=lambda pair: (len(pair[0]), pair[0]))
            return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
        case _:
            raise TypeError(f"{type(value).__name__} has no place in JSON")


def _whole(value: int) -> bytes:
    size = value if value >= 0 else -1 - value
    if size >= 2**64:
        data = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return (b"\xc2" if value >= 0 else b"\xc3") + _head(2, len(data)) + data
    return _head(0 if value >= 0 else 1, size)


def _head(kind: int, size: int) -> bytes:
    if size < 24:
        return bytes((kind << 5 | size,))
    for code, form, limit in ((24, ">BB", 2**8), (25, ">BH", 2**16), (26, ">BI", 2**32)):
        if size < limit:
            return struct.pack(form, kind << 5 | code, size)
    return struct.pack(">BQ", kind << 5 | 27, size)


def _fraction(value: float) -> bytes:
    if math.isnan(value):
        return b"\xf9\x7e\x00"
    for code, form in ((0xF9, ">e"), (0xFA, ">f")):
        try:
            data = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, data)[0] == value:
            return bytes((code,)) + data
    return b"\xfb" + struct.pack(">d", value)


def murmur3(data: bytes) -> int:
    """MurmurHash3, x86, 32 bits, seed 0."""
    size = len(data)
    mixed = 0
    for (block,) in struct.iter_unpack("<I", data[: size & ~3]):
        mixed ^= _scrambled(block)
        mixed = ((mixed << 13 | mixed >> 19) * 5 + 0xE6546B64) & _M
    mixed ^= _scrambled(int.from_bytes(data[size & ~3 :], "little")) ^ size
    mixed = ((mixed ^ mixed >> 16) * 0x85EBCA6B) & _M
    mixed = ((mixed ^ mixed >> 13) * 0xC2B2AE35) & _M
    return mixed ^ mixed >> 16


def _scrambled(block: int) -> int:
    block = (block * 0xCC9E2D51) & _M
    return ((block << 15 | block >> 17) * 0x1B873593) & _M
