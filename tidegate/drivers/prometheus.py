"""A Prometheus server, or whatever speaks its HTTP API, as a source of alarms and comparisons.

A query that it does not take, that is slow, or that has several answers where one is wanted, is left out with a line in the
log: it is blind, and the others are not delayed by it. NaN is no data. An infinite figure is larger than every limit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from tidegate.core.alarm_state import AlarmState
from tidegate.core.errors import Unreachable
from tidegate.drivers.prometheus_answer import Wrong, counters, number, one_series, points
from tidegate.ports import Measurement, Query

if TYPE_CHECKING:
    from tidegate.drivers.prometheus_api import PrometheusApi

AT_ONCE = 4
MOST_TOLD = 1000
Asked = TypeVar("Asked", Query, str)
Found = TypeVar("Found")


class Prometheus:
    """Implements ports.CloudSource, ports.CounterSource and ports.QueryChecker.

    `url` may carry a user and a password, and is "" where no server is named. `token_file` holds a bearer token; it is read at
    every look, for such tokens are renewed."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], datetime],
        *,
        token_file: Path | None = None,
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self._url = url
        self._clock = clock
        self._token_file = token_file
        self._timeout = timeout
        self._lock = threading.Lock()
        self._made: PrometheusApi | None = None
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="prometheus")  # no thread before the first question
        self._told: set[tuple[str, str]] = set()
        self._log = structlog.get_logger()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._made is not None:
            self._made.close()

    # --- what is asked ------------------------------------------------------------------------------------------------

    def states(self, names: Sequence[str]) -> Mapping[str, AlarmState]:  # noqa: ARG002 - nobody names its alarms
        return {}

    def figures(self, queries: Sequence[Query], begin: datetime, end: datetime) -> Mapping[Query, Mapping[datetime, float]]:
        """The figure of a period is what the query gives at its end."""

        def look(query: Query) -> Mapping[datetime, float]:
            first, step = begin + query.period, query.period.total_seconds()
            form = {"query": query.metric.name, "start": first.timestamp(), "end": end.timestamp(), "step": step}
            series = one_series(self._ask("query_range", form), "matrix")
            found = {at - query.period: value for at, text in points(series) if (value := number(text)) is not None}
            return {at: value for at, value in found.items() if begin <= at < end}

        return self._all(queries, look)

    def counters(self, queries: Sequence[str], at: datetime) -> Mapping[str, Sequence[Measurement]]:
        def look(query: str) -> Sequence[Measurement]:
            return counters(self._ask("query", {"query": query, "time": at.timestamp()}))

        return self._all(queries, look)

    def refused(self, query: str, *, single: bool) -> str:
        if not self._url:
            return (
                "No Prometheus is named that could be asked.\nSet TIDEGATE_PROMETHEUS=http://HOST:9090 where tidegate up runs."
            )
        try:
            answer = self._ask("query", {"query": query, "time": self._clock().timestamp()})
            if single:
                one_series(answer, "vector")
            else:
                counters(answer)
        except Wrong as wrong:
            return str(wrong)
        return ""

    # --- how it is asked ----------------------------------------------------------------------------------------------

    def _all(self, asked: Sequence[Asked], look: Callable[[Asked], Found]) -> dict[Asked, Found]:
        """All of them at the same time. Raises Unreachable when the server answered none."""
        looks = {self._pool.submit(look, one): one for one in asked}
        found: dict[Asked, Found] = {}
        away: Unreachable | None = None
        with suppress(TooLate):
            for done in as_completed(looks, timeout=2 * self._timeout.total_seconds()):
                try:
                    found[looks[done]] = done.result()
                except Wrong as wrong:
                    self._tell(str(looks[done]), str(wrong))
                except Unreachable as error:
                    away = error
        for late in looks:
            late.cancel()
        if away is not None and not found:
            raise away
        return found

    def _tell(self, query: str, problem: str) -> None:
        """Once for each: it is asked again every few seconds."""
        if (query, problem) not in self._told and len(self._told) < MOST_TOLD:
            self._told.add((query, problem))
            self._log.warning("query_unanswered", query=query, problem=problem)

    def _ask(self, what: str, form: Mapping[str, Any]) -> Mapping[str, Any]:
        """The `data` of its answer. Raises Wrong, or Unreachable."""
        if not self._url:
            raise Unreachable("No Prometheus is named that could be asked.", "Set TIDEGATE_PROMETHEUS=http://HOST:9090.")
        with self._lock:
            if self._made is None:
                from tidegate.drivers.prometheus_api import PrometheusApi  # noqa: PLC0415 - who asks no server waits for no httpx2

                self._made = PrometheusApi(self._url, self._clock, self._token_file, self._timeout)
        return self._made.ask(what, form)
