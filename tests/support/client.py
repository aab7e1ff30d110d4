"""A plain HTTP/1.1 client that is quick, keeps its connection, and tells exactly what broke."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType


class Broken(Exception):
    """The connection ended before the answer did."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def version(self) -> str:
        return self.headers.get("x-version", "")


class Client:
    def __init__(self, port: int, host: str = "127.0.0.1", timeout: float = 10.0) -> None:
        self._address = (host, port)
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._buffer = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._buffer = None, b""

    def get(self, path: str = "/", headers: Mapping[str, str] | None = None, host: str = "localhost") -> Answer:
        return self.ask("GET", path, headers, host=host)

    def post(self, path: str = "/", headers: Mapping[str, str] | None = None, body: bytes = b"x") -> Answer:
        return self.ask("POST", path, headers, body=body)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, *, body: bytes = b"", host: str = "localhost"
    ) -> Answer:
        lines = [f"{method} {path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
        if body:
            lines.append(f"content-length: {len(body)}")
        return self.raw("\r\n".join([*lines, "", ""]).encode("latin-1") + body, head=method == "HEAD")

    def raw(self, request: bytes, *, head: bool = False) -> Answer:
        try:
            self._connect().sendall(request)
            return self._read(head)
        except (OSError, Broken) as error:
            self.close()
            raise Broken(str(error)) from error

    def _connect(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _read(self, head: bool) -> Answer:
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        start, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = start.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        if head or status == 101:
            return Answer(status, headers, b"")
        body = self._chunks() if headers.get("transfer-encoding") == "chunked" else self._take(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return Answer(status, headers, body)

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._buffer:
                self._more()
            size, _, self._buffer = self._buffer.partition(b"\r\n")
            chunk = self._take(int(size, 16) + 2)
            if size == b"0":
                return body
            body += chunk[:-2]

    def _take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            self._more()
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def _more(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(65536)
        if not data:
            raise Broken("the connection was closed")
        self._buffer += data


@dataclass
class Load:
    """Clients that ask on and on in threads of their own, and count how they were answered.

    with Load(lambda client, number: client.get("/", {"x-user-id": f"u{number}"}), clients=4, port=port) as load:
        ...
    assert not load.failures
    """

    ask: Callable[[Client, int], Answer]
    port: int
    clients: int = 4
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By version and status."""
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(15)

    @property
    def asked(self) -> int:
        return sum(self.answers.values()) + len(self.failures)

    def until_asked(self, more: int, seconds: float = 20) -> None:
        """Waits until so many more requests were answered."""
        goal, deadline = self.asked + more, time.monotonic() + seconds
        while self.asked < goal and time.monotonic() < deadline:
            time.sleep(0.005)

    def _run(self, number: int) -> None:
        with Client(self.port) as client:
            turn = number
            while not self._over.is_set():
                turn += self.clients
                try:
                    answer = self.ask(client, turn)
                except Broken as broken:
                    self.failures.append(str(broken))
                    continue
                self.answers[answer.version, answer.status] += 1
                if answer.status >= 500:
                    self.failures.append(f"{answer.status} {answer.body[:80]!r}")
