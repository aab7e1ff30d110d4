"""A small load generator, for where wrk is not installed: one thread, many kept connections, no library."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable


def ask_on_and_on(port: int, way: str, seconds: float, connections: int) -> tuple[list[float], int, float]:
    """Users that are known in this way, never the same twice: how long each answer took in seconds, how many were not 200, and
    the time spent."""
    return _ask_all(port, lambda number: _request(way, number), seconds, connections)


def ask_again(port: int, request: bytes, seconds: float, connections: int) -> tuple[list[float], int, float]:
    """The same request again and again."""
    return _ask_all(port, lambda _: request, seconds, connections)


def _ask_all(port: int, make: Callable[[int], bytes], seconds: float, connections: int) -> tuple[list[float], int, float]:
    took: list[float] = []
    errors = number = 0
    with selectors.DefaultSelector() as selector:
        asked: dict[socket.socket, float] = {}
        began = time.perf_counter()
        for _ in range(connections):
            connection = socket.create_connection(("127.0.0.1", port))
            selector.register(connection, selectors.EVENT_READ)
            asked[connection] = _ask(connection, make(number := number + 1))
        while time.perf_counter() - began < seconds:
            for key, _ in selector.select(0.1):
                connection = key.fileobj  # type: ignore[assignment]
                answer = connection.recv(65536)
                took.append(time.perf_counter() - asked[connection])
                errors += not answer.startswith(b"HTTP/1.1 200")
                asked[connection] = _ask(connection, make(number := (number + 1) % 10_000))
        spent = time.perf_counter() - began
        for connection in asked:
            connection.close()
    return took, errors, spent


def _ask(connection: socket.socket, request: bytes) -> float:
    connection.sendall(request)
    return time.perf_counter()


def _request(way: str, number: int) -> bytes:
    known = {
        "header": f"x-user-id: user-{number}\r\n",
        "cookie": f"cookie: tidegate={number:08x}-1111-4222-8333-444455556666\r\n",
        "visitor": "",
    }
    return f"GET / HTTP/1.1\r\nhost: localhost\r\n{known[way]}\r\n".encode()
