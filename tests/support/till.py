"""A small shop's till with faults, for walks through the whole house. Imports nothing of ours, so that it starts fast.

    python till.py --port 8001 --version v2 --ledger FILE [--fail GET=20%:500] [--fail POST=20%:reset] [--hang]
                   [--refuse 20%] [--outage FILE] [--burst 3:0.3%] [--lose 20%] [--late 5s] [--never] [--exit]

It shows `queue_length 1` at /metrics, and `sales_total` with `sales_lost_total`: with `--lose 20%` every fifth sale is lost,
though its answer is good.

Every request is one line in the ledger (version, method, status), written before the answer: what the till did, told by
nobody but itself. A share of 20% means every fifth request of that method. A burst of 3:0.3% means that with a chance of 0.3% a
request and the two after it fail.
"""

import argparse
import asyncio
import os
import random
import signal
import socket
import struct
import sys
import time


class Faults:
    def __init__(self, given: argparse.Namespace) -> None:
        self.hang = given.hang
        self.outage = given.outage
        self.refuse = int(given.refuse.rstrip("%")) / 100
        size, _, chance = given.burst.partition(":")
        self.burst, self.chance, self.bursting = int(size), float(chance.rstrip("%")) / 100, 0
        self.every: dict[str, tuple[int, str]] = {}
        for fail in given.fail:
            method, _, rest = fail.partition("=")
            share, _, kind = rest.partition(":")
            self.every[method] = (100 // int(share.rstrip("%")), kind or "500")
        self.asked: dict[str, int] = {}
        self.lose = int(given.lose.rstrip("%")) / 100

    def of(self, method: str) -> str:
        """The fault of this request, "" when it gets a good answer."""
        if self.outage and os.access(self.outage, os.F_OK):
            return "500"
        if not self.bursting and random.random() < self.chance:
            self.bursting = self.burst
        if self.bursting:
            self.bursting -= 1
            return "500"
        every, kind = self.every.get(method, (0, ""))
        count = self.asked[method] = self.asked.get(method, 0) + 1
        return kind if every and count % every == 0 else ""


class Till(asyncio.Protocol):
    def __init__(self, version: str, faults: Faults, ledger: int, healthy_from: float) -> None:
        self.version, self.faults, self.ledger, self.healthy_from = version, faults, ledger, healthy_from
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].decode("latin-1").split("\r\n")
            self.received = self.received[end + 4 :]
            method, path, _ = head[0].split(" ", 2)
            if path == "/healthz":
                well = time.monotonic() >= self.healthy_from
                self.say("200 OK" if well else "503 Service Unavailable", keep=False)
            elif path == "/metrics":
                sales = sum(self.faults.asked.values())
                shown = f"queue_length 1\nsales_total {sales}\nsales_lost_total {int(sales * self.faults.lose)}\n"
                self.say("200 OK", keep=False, body=shown.encode())
            else:
                self.serve(method)

    def serve(self, method: str) -> None:
        fault = "hang" if self.faults.hang else self.faults.of(method)
        os.write(self.ledger, f"{self.version} {method} {fault or '200'}\n".encode())
        if fault == "hang":
            return
        if fault == "reset":
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
            return
        self.say("500 Internal Server Error" if fault else "200 OK", keep=not self.faults.refuse)

    def say(self, status: str, *, keep: bool, body: bytes = b"") -> None:
        how = "keep-alive" if keep else "close"
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nx-version: {self.version}\r\nconnection: {how}\r\n\r\n"
        self.transport.write(head.encode() + body)
        if not keep:
            self.transport.close()


async def open_and_shut(serve, share: float) -> None:
    """Listens, but for this share of each second."""
    while True:
        server = await serve()
        await asyncio.sleep(1 - share)
        server.close()
        await asyncio.sleep(share)


async def run(given: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, done.set)
    faults = Faults(given)
    ledger = os.open(given.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    healthy_from = time.monotonic() + (1e9 if given.never else float(given.late.rstrip("s")))

    def serve():
        return loop.create_server(
            lambda: Till(given.version, faults, ledger, healthy_from), "127.0.0.1", given.port, reuse_address=True
        )

    if faults.refuse:
        shutting = asyncio.create_task(open_and_shut(serve, faults.refuse))
        await done.wait()
        shutting.cancel()
    else:
        await serve()
        await done.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--fail", action="append", default=[])
    parser.add_argument("--refuse", default="0%")
    parser.add_argument("--outage", default="")
    parser.add_argument("--lose", default="0%")
    parser.add_argument("--burst", default="1:0%")
    parser.add_argument("--late", default="0s")
    parser.add_argument("--hang", action="store_true")
    parser.add_argument("--never", action="store_true")
    parser.add_argument("--exit", action="store_true")
    given = parser.parse_args()
    if given.exit:
        sys.exit("the drawer is stuck")
    asyncio.run(run(given))


if __name__ == "__main__":
    main()
