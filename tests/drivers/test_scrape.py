from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import timedelta

import pytest

from tidegate.drivers.scrape import ScrapedMetrics
from tidegate.ports import Asked, Task, TaskState

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\n"

Behaviour = Callable[[socket.socket], None]


class Server:
    """A task that answers each connection in one way, and is gone afterwards."""

    def __init__(self, behave: Behaviour, host: str = "127.0.0.1") -> None:
        self._behave = behave
        self._socket = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.host, self.port = host, self._socket.getsockname()[1]
        self.asked: list[bytes] = []
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _answer(self, connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            self.asked.append(connection.recv(65536))
            self._behave(connection)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(behave: Behaviour, host: str = "127.0.0.1") -> Server:
        servers.append(Server(behave, host))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def scrape() -> Iterator[ScrapedMetrics]:
    source = ScrapedMetrics(timeout=timedelta(milliseconds=400), deadline=timedelta(seconds=2))
    yield source
    source.close()


def text(body: bytes, head: bytes = HEAD) -> Behaviour:
    return lambda connection: connection.sendall(head + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)


def hang(connection: socket.socket) -> None:
    connection.settimeout(3)
    with suppress(OSError):
        connection.recv(1)  # until the other side gives up


def drip(connection: socket.socket) -> None:
    """Never silent for long, and never done."""
    connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    for _ in range(200):
        connection.sendall(b"8\r\ndepth 1\n\r\n")
        time.sleep(0.02)


def flood(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    piece = b"x" * 100_000
    for _ in range(200):
        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))


def task(server: Server, name: str = "web-v2-1") -> Asked:
    return Asked(Task(name, "web", "v2", TaskState.HEALTHY, server.host, server.port), "/metrics?x=1", frozenset({"depth"}))


def test_all_tasks_are_looked_at_and_say_whose_their_measurements_are(
    serve: Callable[..., Server], scrape: ScrapedMetrics
) -> None:
    one, two = serve(text(b"depth 3\nother 4\n")), serve(text(b"depth 5\n"))
    seen = scrape.measure([task(one), task(two, "web-v2-2")])
    assert [(m.task, m.value, m.service, m.version) for m in seen.measurements] == [
        ("web-v2-1", 3.0, "web", "v2"),
        ("web-v2-2", 5.0, "web", "v2"),
    ]
    assert seen.answered == {"web-v2-1": "v2", "web-v2-2": "v2"}
    assert seen.blind == {}
    assert one.asked[0].startswith(b"GET /metrics?x=1 HTTP/1.1")


def test_a_task_that_answers_without_the_metric_is_not_blind(serve: Callable[..., Server], scrape: ScrapedMetrics) -> None:
    seen = scrape.measure([task(serve(text(b"other 4\n")))])
    assert (seen.measurements, list(seen.answered), seen.blind) == ((), ["web-v2-1"], {})


def test_an_address_of_ip_version_6_is_asked_too(serve: Callable[..., Server], scrape: ScrapedMetrics) -> None:
    try:
        server = serve(text(b"depth 3\n"), "::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert scrape.measure([task(server)]).measurements[0].value == 3.0


BROKEN: list[tuple[str, Behaviour, str]] = [
    ("hangs", hang, "no answer within 0.4s"),
    ("drips", drip, "it did not end within 0.4s"),
    ("floods", flood, "it shows more than 5 MB"),
    ("closes", lambda connection: None, "RemoteProtocolError"),
    ("lies", lambda connection: connection.sendall(b"\x00\x01nonsense\r\n\r\n"), "RemoteProtocolError"),
    ("is cut off", lambda connection: connection.sendall(HEAD + b"content-length: 99\r\n\r\ndepth 3\n"), "RemoteProtocolError"),
    ("is missing", lambda c: c.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"), "/metrics?x=1 answers 404"),
    ("moved", lambda c: c.sendall(b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n"), "answers 302"),
    ("is broken", text(b"depth five\n"), "could not convert string to float: 'five'"),
    ("is a page", text(b"<html>", b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n"), "it shows text/html"),
    ("is packed", text(gzip.compress(b"depth 3\n"), HEAD + b"content-encoding: gzip\r\n"), "is compressed"),
]


@pytest.mark.parametrize(("behave", "why"), [(behave, why) for _, behave, why in BROKEN], ids=[name for name, *_ in BROKEN])
def test_a_task_that_misbehaves_is_blind_with_the_reason_and_harms_no_other(
    serve: Callable[..., Server], scrape: ScrapedMetrics, behave: Behaviour, why: str
) -> None:
    good, bad = serve(text(b"depth 3\n")), serve(behave)
    seen = scrape.measure([task(bad, "bad"), task(good, "good")])
    assert [m.value for m in seen.measurements] == [3.0]
    assert list(seen.answered) == ["good"]
    assert list(seen.blind) == ["bad"]
    assert why in seen.blind["bad"]


def test_a_task_that_is_gone_is_blind(serve: Callable[..., Server], scrape: ScrapedMetrics) -> None:
    server = serve(hang)
    server.close()
    assert "ConnectError" in scrape.measure([task(server)]).blind["web-v2-1"]


def test_a_task_that_is_back_answers_again(serve: Callable[..., Server], scrape: ScrapedMetrics) -> None:
    answers = iter([hang, text(b"depth 3\n")])

    def behave(connection: socket.socket) -> None:
        next(answers)(connection)

    server = serve(behave)
    assert scrape.measure([task(server)]).blind
    assert scrape.measure([task(server)]).measurements[0].value == 3.0


def test_many_hanging_tasks_do_not_make_a_look_longer_than_its_deadline(serve: Callable[..., Server]) -> None:
    source = ScrapedMetrics(timeout=timedelta(milliseconds=300), deadline=timedelta(milliseconds=500), at_once=2)
    server = serve(hang)
    begin = time.monotonic()
    seen = source.measure([task(server, f"web-v2-{number}") for number in range(20)])
    assert time.monotonic() - begin < 1.5
    assert len(seen.blind) == 20
    assert any("too many slow ones" in why for why in seen.blind.values())
    source.close()


def test_the_names_that_tasks_show_are_known(serve: Callable[..., Server], scrape: ScrapedMetrics) -> None:
    good, bad = serve(text(b"# TYPE took histogram\ntook_count 4\ndepth 3\n")), serve(hang)
    assert scrape.known([task(good, "good"), task(bad, "bad")]) == {"good": {"took", "took_count", "depth"}}
