"""The HTTP API of a Prometheus server: one question, one answer, bounded in time and size."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tidegate.core.duration import say_roughly
from tidegate.core.errors import Unreachable
from tidegate.drivers.prometheus_answer import Wrong

MOST_BYTES = 10_000_000
APART = timedelta(seconds=15)
"""How far its clock may be from ours: what it says of our `now` would be of another time."""


class PrometheusApi:
    def __init__(self, url: str, clock: Callable[[], datetime], token_file: Path | None, timeout: timedelta) -> None:
        self._url = url.rstrip("/")
        self._clock = clock
        self._token_file = token_file
        self._timeout = timeout.total_seconds()
        self._http = httpx2.Client(timeout=self._timeout, headers={"user-agent": "tidegate"})

    @property
    def place(self) -> str:
        """Where it is, without user and password."""
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def close(self) -> None:
        self._http.close()

    def ask(self, what: str, form: Mapping[str, Any]) -> Mapping[str, Any]:
        """The `data` of its answer. Raises Wrong, or Unreachable."""
        begun = time.monotonic()
        try:
            with self._http.stream(
                "POST", f"{self._url}/api/v1/{what}", data={**form, "timeout": f"{self._timeout:g}s"}, headers=self._headers()
            ) as answer:
                body = self._body(answer, begun + self._timeout)
                status, date = answer.status_code, answer.headers.get("date")
        except httpx2.TimeoutException as late:
            raise Unreachable(f"Prometheus at {self.place} did not answer within {self._timeout:g}s.") from late
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as wrong:
            raise Unreachable(f"Prometheus at {self.place} cannot be reached: {str(wrong)[:200]}.") from wrong
        content = self._read(body, status)
        self._must_be_of_our_time(date)
        return content

    def _read(self, body: bytes, status: int) -> Mapping[str, Any]:
        content: Any = None
        with suppress(ValueError):
            content = json.loads(body)
        if isinstance(content, dict) and status in (400, 422) and "error" in content:
            raise Wrong(f"Prometheus does not take it: {' '.join(str(content['error']).split())[:400]}.")
        if status in (401, 403):
            raise Unreachable(
                f"Prometheus at {self.place} does not let us in ({status}).",
                "Give TIDEGATE_PROMETHEUS a user and a password, or set TIDEGATE_PROMETHEUS_TOKEN_FILE.",
            )
        data = content.get("data") if isinstance(content, dict) else None
        if status != 200 or not isinstance(data, dict):
            raise Unreachable(
                f"{self.place} answered {status}, and not as Prometheus does.", "See TIDEGATE_PROMETHEUS: without /api/v1."
            )
        return data

    def _must_be_of_our_time(self, date: str | None) -> None:
        try:
            theirs = parsedate_to_datetime(date or "")
        except ValueError:
            return  # a proxy in between left it out
        if theirs.tzinfo is None:
            return
        apart = theirs - self._clock()
        if abs(apart) > APART:
            way = "ahead of" if apart > timedelta(0) else "behind"
            raise Unreachable(
                f"The clock of Prometheus at {self.place} is {say_roughly(abs(apart))} {way} ours.", "Set both clocks (NTP)."
            )

    def _headers(self) -> dict[str, str]:
        if self._token_file is None:
            return {}
        try:
            return {"authorization": f"Bearer {self._token_file.read_text().strip()}"}
        except (OSError, ValueError) as wrong:
            raise Unreachable(
                f"The token for Prometheus in {self._token_file} cannot be read.", "See TIDEGATE_PROMETHEUS_TOKEN_FILE."
            ) from wrong

    def _body(self, answer: httpx2.Response, until: float) -> bytes:
        body = bytearray()
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                raise Wrong(f"It answers more than {MOST_BYTES // 1_000_000} MB.\nAsk for less, by labels or with sum(...).")
            if time.monotonic() > until:
                raise Unreachable(f"Prometheus at {self.place} did not end within {self._timeout:g}s.")
        return bytes(body)
