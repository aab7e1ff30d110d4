"""As much of HTTP/2 (RFC 9113) and its header compression (RFC 7541) as one health check needs. Pure.

We announce a header table of size 0, so a server's answers never refer to a dynamic table, and every field stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _GOAWAY, _CONTINUATION = 0x0, 0x1, 0x3, 0x4, 0x7, 0x9
_END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x4, 0x8, 0x20
_HEADER_TABLE_SIZE = 1
_STATUSES = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
"""Where the static table names a status. Name 8 is `:status` itself."""
_GRPC_STATUS = (b"grpc-status", bytes.fromhex("9acac8b21234da8f"))
"""The name as it is, and Huffman coded."""
_EMPTY_MESSAGE = b"\0\0\0\0\0"
_SERVING = b"\x08\x01"
"""HealthCheckResponse{status: SERVING}"""


def request(authority: str, path: str, grpc: bool) -> bytes:
    """Everything that the client has to say: preface, settings, one request on stream 1."""
    fields = [(":method", "POST" if grpc else "GET"), (":scheme", "http"), (":path", path), (":authority", authority)]
    fields += [("content-type", "application/grpc"), ("te", "trailers")] if grpc else [("user-agent", "tidegate-health")]
    block = b"".join(_literal(name, value) for name, value in fields)
    settings = _frame(_SETTINGS, 0, 0, _HEADER_TABLE_SIZE.to_bytes(2, "big") + bytes(4))
    if grpc:
        return PREFACE + settings + _frame(_HEADERS, _END_HEADERS, 1, block) + _frame(_DATA, _END_STREAM, 1, _EMPTY_MESSAGE)
    return PREFACE + settings + _frame(_HEADERS, _END_HEADERS | _END_STREAM, 1, block)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literal(name: str, value: str) -> bytes:
    """Never indexed, not Huffman coded."""
    raw = (name.encode("ascii"), value.encode("latin-1", errors="replace"))
    return b"\x10" + b"".join(_integer(len(text), 7) + text for text in raw)


def _integer(value: int, bits: int) -> bytes:
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((value,))
    said, value = bytearray((limit,)), value - limit
    while value >= 128:
        said.append(value % 128 + 128)
        value //= 128
    return bytes((*said, value))


# --- the answer -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Heard:
    """What came on our stream so far."""

    fields: dict[bytes, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    refused: str = ""


def status(received: bytes, grpc: bool, serving: bool = False) -> int | str | None:
    """The status, or in words what is wrong, or None while the answer is not complete.

    `serving`: a grpc answer must be the health service's SERVING too.
    """
    if received.startswith(b"HTTP/"):
        return "in HTTP/1, not in HTTP/2"
    heard = _listen(received)
    said = heard.fields.get(b":status", "")
    if heard.refused or not said.isdigit():
        return heard.refused or None
    if not grpc or said != "200":
        return int(said)
    if not heard.ended:
        return None
    code = heard.fields.get(b"grpc-status", "nothing")
    if code != "0":
        return f"grpc-status {code}"
    return 200 if not serving or _SERVING in heard.body else "that it is not serving"


def _listen(received: bytes) -> _Heard:
    heard, block = _Heard(), b""
    for kind, flags, payload in _frames(received):
        if kind == _RST_STREAM and not heard.ended:
            heard.refused = f"with a reset, code {int.from_bytes(payload, 'big')}"
        elif kind == _GOAWAY and not heard.fields:
            heard.refused = "by going away"
        elif kind == _DATA:
            heard.body += _content(payload, flags)
        elif kind in (_HEADERS, _CONTINUATION):
            block += _content(payload, flags) if kind == _HEADERS else payload
            if flags & _END_HEADERS:
                heard.fields |= _fields(block)
                block = b""
        heard.ended = heard.ended or (kind in (_DATA, _HEADERS) and bool(flags & _END_STREAM))
    return heard


def _frames(received: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The complete frames: kind, flags, payload. Only stream 1 and the connection itself speak to us."""
    at = 0
    while len(received) >= at + 9:
        end = at + 9 + int.from_bytes(received[at : at + 3], "big")
        if len(received) < end:
            return
        yield received[at + 3], received[at + 4], received[at + 9 : end]
        at = end


def _content(payload: bytes, flags: int) -> bytes:
    """Without padding and priority."""
    padding = payload[0] if flags & _PADDED and payload else 0
    start = (1 if flags & _PADDED else 0) + (5 if flags & _PRIORITY else 0)
    return payload[start : len(payload) - padding]


def _fields(block: bytes) -> dict[bytes, str]:
    """The two fields that matter. Anything that cannot be read ends the block."""
    found: dict[bytes, str] = {}
    at = 0
    try:
        while at < len(block):
            at = _field(block, at, found)
    except IndexError:
        pass
    return found


def _field(block: bytes, at: int, found: dict[bytes, str]) -> int:
    """Reads one field (RFC 7541, section 6) and says where the next begins."""
    first = block[at]
    if first & 0x80:
        index, at = _read_integer(block, at, 7)
        if index in _STATUSES:
            found[b":status"] = str(_STATUSES[index])
        return at
    if first & 0xE0 == 0x20:
        return _read_integer(block, at, 5)[1]
    index, at = _read_integer(block, at, 6 if first & 0x40 else 4)
    name = b":status" if 8 <= index <= 14 else b""
    if index == 0:
        raw, _, at = _read_text(block, at)
        name = b"grpc-status" if raw in _GRPC_STATUS else raw
    value, coded, at = _read_text(block, at)
    if name in (b":status", b"grpc-status"):
        found[name] = _digits(value) if coded else value.decode("latin-1")
    return at


def _read_integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    limit = (1 << bits) - 1
    value, at = block[at] & limit, at + 1
    if value < limit:
        return value, at
    shift = 0
    while True:
        part, at = block[at], at + 1
        value += (part & 0x7F) << shift
        shift += 7
        if not part & 0x80:
            return value, at


def _read_text(block: bytes, at: int) -> tuple[bytes, bool, int]:
    coded = bool(block[at] & 0x80)
    length, at = _read_integer(block, at, 7)
    if at + length > len(block):
        raise IndexError(at)
    return block[at : at + length], coded, at + length


def _digits(coded: bytes) -> str:
    """Huffman coded digits: 0 to 2 are five bits, 3 to 9 are six; the rest is padding of ones."""
    bits = "".join(f"{byte:08b}" for byte in coded)
    said = ""
    while len(bits) >= 5 and "0" in bits:
        if (short := int(bits[:5], 2)) <= 2:
            said, bits = said + str(short), bits[5:]
        elif len(bits) >= 6 and 0b011001 <= (long := int(bits[:6], 2)) <= 0b011111:
            said, bits = said + str(long - 0b011001 + 3), bits[6:]
        else:
            return ""
    return said
