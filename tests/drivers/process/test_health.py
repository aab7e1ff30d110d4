"""Health checks against real sockets: small servers in threads that answer as they are told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from tidegate.drivers.process.health import HealthWatch
from tidegate.drivers.process.life import Verdict
from tidegate.drivers.process.probe import Check

pytestmark = pytest.mark.real
CHECK = Check("127.0.0.1", 0, "/healthz", interval=0.03, timeout=0.3, healthy_after=2, unhealthy_after=2)


class Server:
    """Answers every connection with these bytes; None never answers."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.kept: list[socket.socket] = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                user, _ = self.listening.accept()
            except OSError:
                return
            self.kept.append(user)
            if self.answer is None:
                continue
            with suppress(OSError):
                self.asked.append(user.recv(65536))
                user.sendall(self.answer)
                user.close()

    def close(self) -> None:
        with suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join(2)
        for user in self.kept:
            user.close()


@pytest.fixture
def serve() -> Iterator[Callable[[bytes | None], Server]]:
    servers: list[Server] = []

    def make(answer: bytes | None) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def watch() -> Iterator[HealthWatch]:
    watch = HealthWatch()
    yield watch
    watch.close()


def wait(watch: HealthWatch, key: str, holds: Callable[[Verdict], object], seconds: float = 10) -> Verdict:
    deadline = time.monotonic() + seconds
    while not holds(verdict := watch.verdict(key)):
        assert time.monotonic() < deadline, verdict
        time.sleep(0.005)
    return verdict


@pytest.mark.parametrize("status", [b"200 OK", b"204 No Content", b"301 Moved", b"399 Odd"])
def test_every_status_from_200_to_399_is_healthy(watch: HealthWatch, serve: Callable[[bytes], Server], status: bytes) -> None:
    server = serve(b"HTTP/1.1 " + status + b"\r\n\r\n")
    watch.watch("web", replace(CHECK, port=server.port), None)
    assert wait(watch, "web", lambda verdict: verdict.healthy).why == ""
    assert server.asked[0].startswith(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 503 Busy\r\n\r\n", "GET /healthz on port {port} answered 503"),
        (b"HTTP/1.1 199 Odd\r\n\r\n", "GET /healthz on port {port} answered 199"),
        (b"SSH-2.0-OpenSSH\r\n", "GET /healthz on port {port} answered no HTTP but b'SSH-2.0-OpenSSH\\r\\n'"),
        (b"", "GET /healthz on port {port} was closed without an answer"),
        (None, "GET /healthz on port {port} gave no answer in time"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    watch: HealthWatch, serve: Callable[[bytes | None], Server], answer: bytes | None, why: str
) -> None:
    server = serve(answer)
    watch.watch("web", replace(CHECK, port=server.port), True)
    verdict = wait(watch, "web", lambda verdict: verdict.healthy is False)
    assert verdict.why == why.format(port=server.port)


def test_a_port_where_nobody_listens_is_refused_and_looked_at_again_soon(watch: HealthWatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    check = replace(CHECK, port=port, interval=30.0, healthy_after=1)
    watch.watch("web", check, None)
    verdict = wait(watch, "web", lambda verdict: verdict.checks >= 3)
    assert verdict.healthy is None
    assert verdict.why == f"port {port}: connection refused"
    with socket.create_server(("127.0.0.1", port)) as listening:
        threading.Thread(target=_answer_once, args=(listening,), daemon=True).start()
        wait(watch, "web", lambda verdict: verdict.healthy, 2)


def _answer_once(listening: socket.socket) -> None:
    user, _ = listening.accept()
    user.recv(65536)
    user.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    user.close()


def test_without_a_path_a_connection_is_enough(watch: HealthWatch, serve: Callable[[bytes | None], Server]) -> None:
    server = serve(None)
    watch.watch("web", replace(CHECK, port=server.port, path=None), None)
    wait(watch, "web", lambda verdict: verdict.healthy)
    server.close()
    assert "refused" in wait(watch, "web", lambda verdict: verdict.healthy is False).why


def test_a_single_bad_answer_does_not_make_a_healthy_task_unhealthy(
    watch: HealthWatch, serve: Callable[[bytes], Server]
) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\n\r\n")
    watch.watch("web", replace(CHECK, port=server.port, unhealthy_after=3), None)
    wait(watch, "web", lambda verdict: verdict.healthy)
    server.answer = b"HTTP/1.1 500 Oh\r\n\r\n"
    assert wait(watch, "web", lambda verdict: verdict.why).healthy is True
    server.answer = b"HTTP/1.1 200 OK\r\n\r\n"
    assert wait(watch, "web", lambda verdict: not verdict.why).healthy is True


def test_what_is_known_already_holds_until_the_checks_say_otherwise(watch: HealthWatch) -> None:
    watch.watch("web", replace(CHECK, port=9, interval=5.0), True)
    assert watch.verdict("web") == Verdict(healthy=True)


def test_who_is_not_watched_any_more_is_not_asked_any_more(watch: HealthWatch, serve: Callable[[bytes], Server]) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\n\r\n")
    watch.watch("web", replace(CHECK, port=server.port), None)
    wait(watch, "web", lambda verdict: verdict.healthy)
    watch.unwatch("web")
    time.sleep(0.1)
    asked = len(server.asked)
    time.sleep(0.15)
    assert len(server.asked) == asked
    assert watch.verdict("web") == Verdict()


def test_hundreds_that_hang_do_not_keep_the_others_waiting(watch: HealthWatch, serve: Callable[[bytes | None], Server]) -> None:
    hanging, well = serve(None), serve(b"HTTP/1.1 200 OK\r\n\r\n")
    others = set(threading.enumerate())
    for number in range(150):
        watch.watch(f"hangs-{number}", replace(CHECK, port=hanging.port, timeout=1.0, interval=1.0), None)
    watch.watch("well", replace(CHECK, port=well.port), None)
    wait(watch, "well", lambda verdict: verdict.checks > 10, 5)
    assert watch.verdict("well").healthy
    assert sum(thread.name.startswith("tidegate") for thread in set(threading.enumerate()) - others) == 1


def test_more_than_may_be_asked_at_once_wait_for_their_turn(watch: HealthWatch, serve: Callable[[bytes], Server]) -> None:
    watch._at_once = 3
    server = serve(b"HTTP/1.1 200 OK\r\n\r\n")
    for number in range(50):
        watch.watch(number, replace(CHECK, port=server.port, interval=0.2), None)
    for number in range(50):
        wait(watch, number, lambda verdict: verdict.healthy)  # type: ignore[arg-type]


def test_a_target_by_name_is_resolved_and_one_without_an_address_is_told(
    watch: HealthWatch, serve: Callable[[bytes], Server]
) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\n\r\n")
    watch.watch("named", replace(CHECK, host="localhost", port=server.port), None)
    wait(watch, "named", lambda verdict: verdict.healthy)
    watch.watch("nowhere", replace(CHECK, host="nowhere.invalid", port=1), None)
    assert "nowhere.invalid has no address" in wait(watch, "nowhere", lambda verdict: verdict.why).why


def test_closing_twice_is_once(watch: HealthWatch) -> None:
    watch.watch("web", replace(CHECK, port=9), None)
    watch.close()
    watch.close()
    watch.watch("late", replace(CHECK, port=9), None)
    assert watch.verdict("late") == Verdict()
