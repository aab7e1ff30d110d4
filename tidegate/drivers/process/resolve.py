"""Addresses of targets given by name. Asking for a name may take long, so it is done beside the health checks."""

from __future__ import annotations

import queue
import socket
import threading
import time
from dataclasses import dataclass

Address = tuple[int, tuple[str, int]]
FRESH = 30.0
"""Seconds for which an answer is believed."""


@dataclass(frozen=True, slots=True)
class _Known:
    answer: tuple[int, str] | str
    until: float


class Resolver:
    """Used by one thread, which it never blocks."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._asked: set[str] = set()
        self._questions: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def address(self, host: str, port: int) -> Address | str | None:
        """Family and address; or in words why there is none; or None while nobody knows."""
        known = self._known.get(host) or self._numeric(host)
        if known is None or known.until < time.monotonic():
            self._ask(host)
        if known is None:
            return None
        if isinstance(known.answer, str):
            return known.answer
        family, address = known.answer
        return family, (address, port)

    def _numeric(self, host: str) -> _Known | None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            socket.inet_pton(family, host)
        except OSError:
            return None
        self._known[host] = known = _Known((family, host), float("inf"))
        return known

    def _ask(self, host: str) -> None:
        if host in self._asked:
            return
        self._asked.add(host)
        self._questions.put(host)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tidegate-names", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            host = self._questions.get()
            try:
                family, _, _, _, where = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
                answer: tuple[int, str] | str = (family, str(where[0]))
            except (OSError, UnicodeError) as unknown:
                answer = f"{host} has no address: {unknown}"
            self._known[host] = _Known(answer, time.monotonic() + FRESH)
            self._asked.discard(host)
