"""The demo's shop: a small HTTP service with switchable faults. `python -m tidegate.demo.shop --port 8001 --version v1`.

`--fail POST=5%` lets that share of a method's requests fail with 500, evenly spread; `--slow 200ms` delays each answer;
`--hang` answers health checks only. `--both-fail FILE` fails everything while that file exists, as when a database is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.core.duration import parse_duration
from tidegate.core.exposure import WHOLE, parse_share


@dataclass
class Faults:
    fail: dict[str, int] = field(default_factory=dict)  # method -> ten-thousandths
    slow: float = 0.0
    hang: bool = False
    outage: Path | None = None
    asked: dict[str, int] = field(default_factory=dict)

    def fails(self, method: str) -> bool:
        """Whether this request fails: every n-th of its method, so that a share of 5 % is 5 % of every hundred."""
        if self.outage is not None and self.outage.exists():
            return True
        share = self.fail.get(method, 0)
        count = self.asked[method] = self.asked.get(method, 0) + 1
        return count * share // WHOLE > (count - 1) * share // WHOLE


class Shop(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, just enough of it."""

    def __init__(self, version: str, faults: Faults) -> None:
        self._version = version
        self._faults = faults
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].decode("latin-1").split("\r\n")
            length = next((int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:")), 0)
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            method, path, _ = head[0].split(" ", 2)
            self._answer(method, path)

    def _answer(self, method: str, path: str) -> None:
        if path == "/healthz":
            self._send("200 OK", b"fine\n")
        elif self._faults.hang:
            return
        elif self._faults.slow:
            asyncio.get_running_loop().call_later(self._faults.slow, self._serve, method)
        else:
            self._serve(method)

    def _serve(self, method: str) -> None:
        if self._faults.fails(method):
            self._send("500 Internal Server Error", b"the till is broken\n")
        else:
            self._send("200 OK", f"shop {self._version}\n".encode())

    def _send(self, status: str, body: bytes) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nx-version: {self._version}\r\n\r\n"
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(head.encode() + body)


async def serve(port: int, version: str, faults: Faults) -> None:
    """Until SIGTERM."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, done.set)
    server = await loop.create_server(lambda: Shop(version, faults), "127.0.0.1", port)
    async with server:
        await done.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", default=os.environ.get("RELEASE", "v1"))
    parser.add_argument("--fail", action="append", default=[], metavar="METHOD=SHARE")
    parser.add_argument("--slow", default="0s")
    parser.add_argument("--hang", action="store_true")
    parser.add_argument("--both-fail", type=Path, metavar="FILE")
    given = parser.parse_args()
    fail = {method: int(parse_share(share)) for method, _, share in (one.partition("=") for one in given.fail)}
    faults = Faults(fail, parse_duration(given.slow).total_seconds(), given.hang, given.both_fail)
    asyncio.run(serve(given.port, given.version, faults))


if __name__ == "__main__":
    main()
