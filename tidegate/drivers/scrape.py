"""Scraping: what tasks expose at their metrics path, from all of them at the same time, and bounded in everything.

A task that is slow, gone, or shows something else is blind, with the reason in a sentence; the others are not delayed by it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

import httpx2

from tidegate.drivers.exposition import names_in, read
from tidegate.ports import Asked, Measured, Measurement

MOST_BYTES = 5_000_000
AT_ONCE = 16
_ACCEPT = "text/plain;version=0.0.4;q=1, application/openmetrics-text;version=1.0.0;q=0.5, */*;q=0.1"


class _Blind(Exception):
    """Why a task could not be looked at. It ends in `Measured.blind`."""


class ScrapedMetrics:
    """A `MetricSource`. `timeout` bounds the whole look at one task, `deadline` the look at all of them."""

    def __init__(
        self, *, timeout: timedelta = timedelta(seconds=1), deadline: timedelta = timedelta(seconds=3), at_once: int = AT_ONCE
    ) -> None:
        self._timeout = timeout.total_seconds()
        self._deadline = deadline.total_seconds()
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="scrape")
        self._http = httpx2.Client(
            timeout=self._timeout,
            trust_env=False,
            headers={"accept": _ACCEPT, "accept-encoding": "identity", "user-agent": "tidegate"},
            limits=httpx2.Limits(max_connections=2 * at_once, max_keepalive_connections=at_once),
        )

    def measure(self, asked: Sequence[Asked]) -> Measured:
        """One look at all of these tasks."""
        looks = [(one, self._pool.submit(self._look, one)) for one in asked]
        wait([look for _, look in looks], timeout=self._deadline)
        measurements: list[Measurement] = []
        answered: dict[str, str] = {}
        blind: dict[str, str] = {}
        for one, look in looks:
            try:
                measurements += self._result(look)
                answered[one.task.id] = one.task.version
            except _Blind as why:
                blind[one.task.id] = f"{one.task.id} cannot be looked at: {why}."
        return Measured(tuple(measurements), answered, blind)

    def known(self, asked: Sequence[Asked]) -> Mapping[str, frozenset[str]]:
        """The names of all that these tasks show now, by task; a task that does not answer is not in it."""
        looks = {one.task.id: self._pool.submit(self._get, one) for one in asked}
        wait(looks.values(), timeout=self._deadline)
        return {task: names_in(look.result()[0]) for task, look in looks.items() if look.done() and look.exception() is None}

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    def _result(self, look: Future[tuple[Measurement, ...]]) -> tuple[Measurement, ...]:
        if not look.done():
            look.cancel()
            raise _Blind(f"it was not its turn within {self._deadline:g}s, there are too many slow ones")
        return look.result()

    def _look(self, asked: Asked) -> tuple[Measurement, ...]:
        text, content_type = self._get(asked)
        try:
            return read(text, content_type, asked)
        except ValueError as wrong:
            raise _Blind(f"{asked.path}: {str(wrong)[:200]}") from wrong

    def _get(self, asked: Asked) -> tuple[str, str]:
        """The text and its content type."""
        host = f"[{asked.task.host}]" if ":" in asked.task.host else asked.task.host
        until = time.monotonic() + self._timeout
        try:
            with self._http.stream("GET", f"http://{host}:{asked.task.port}{asked.path}") as answer:
                if answer.status_code != 200:
                    raise _Blind(f"{asked.path} answers {answer.status_code}")
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise _Blind(f"{asked.path} is compressed, though that was not asked for")
                return self._body(answer, until).decode(errors="replace"), answer.headers.get("content-type", "")
        except httpx2.TimeoutException as late:
            raise _Blind(f"no answer within {self._timeout:g}s") from late
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as wrong:
            raise _Blind(f"{type(wrong).__name__}: {str(wrong)[:200] or 'the connection broke'}") from wrong

    def _body(self, answer: httpx2.Response, until: float) -> bytes:
        body = bytearray()
        for piece in answer.iter_raw():
            body += piece
            if len(body) > MOST_BYTES:
                raise _Blind(f"it shows more than {MOST_BYTES // 1_000_000} MB")
            if time.monotonic() > until:
                raise _Blind(f"it did not end within {self._timeout:g}s")
        return bytes(body)
