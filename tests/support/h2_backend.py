"""A small HTTP/2 server that speaks just enough of the protocol to be a gRPC task.

It reads no header: whatever is asked, it answers as it was told. That spares it the header compression.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from types import TracebackType

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING = 0, 1, 3, 4, 6
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1


class H2Backend:
    """`grpc_status`: None answers plain HTTP/2; else it ends with this status, in trailers unless `trailers_only`."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.port = 0
        self.grpc_status: int | None = None
        self.trailers_only = False
        self.status = 200
        self.hangs = False
        self.begun = 0
        self.open: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> H2Backend:
        server = self._loop.run_until_complete(self._loop.create_server(lambda: _H2(self), "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._server = server
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(5)
        self._loop.close()

    def _end(self) -> None:
        self._server.close()
        for transport in list(self.open):
            transport.abort()
        self._loop.call_later(0.02, self._loop.stop)


class _H2(asyncio.Protocol):
    def __init__(self, backend: H2Backend) -> None:
        self._backend = backend
        self._buffer = b""
        self._greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._backend.open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._backend.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._greeted:
            if len(self._buffer) < len(_PREFACE):
                return
            self._buffer = self._buffer.removeprefix(_PREFACE)
            self._greeted = True
            self._send(_SETTINGS, 0, 0, b"")
        while len(self._buffer) >= 9:
            length = int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < 9 + length:
                return
            kind, flags, stream = self._buffer[3], self._buffer[4], int.from_bytes(self._buffer[5:9], "big")
            payload, self._buffer = self._buffer[9 : 9 + length], self._buffer[9 + length :]
            self._frame(kind, flags, stream, payload)

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            self._send(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            self._send(_PING, _ACK, 0, payload)
        elif kind in (_HEADERS, _DATA) and flags & _END_STREAM:
            self._answer(stream)

    def _answer(self, stream: int) -> None:
        backend = self._backend
        backend.begun += 1
        if backend.hangs:
            return
        head = [(":status", str(backend.status)), ("x-version", backend.version)]
        if backend.grpc_status is None:
            self._send(_HEADERS, _END_HEADERS, stream, _block(head))
            self._send(_DATA, _END_STREAM, stream, backend.version.encode())
            return
        head.append(("content-type", "application/grpc"))
        end = [("grpc-status", str(backend.grpc_status)), ("grpc-message", "as told")]
        if backend.trailers_only:
            self._send(_HEADERS, _END_HEADERS | _END_STREAM, stream, _block(head + end))
            return
        self._send(_HEADERS, _END_HEADERS, stream, _block(head))
        self._send(_DATA, 0, stream, b"\0\0\0\0\0")
        self._send(_HEADERS, _END_HEADERS | _END_STREAM, stream, _block(end))

    def _send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self._transport.write(len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload)


def _block(headers: list[tuple[str, str]]) -> bytes:
    """Literal headers without indexing or Huffman coding (RFC 7541, 6.2.2)."""
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in headers
    )
