"""Asks the control plane, through its unix socket or over HTTP. What goes wrong there becomes one of our errors."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from tidegate.core.errors import Invalid, NotFound, Refused, Unreachable
from tidegate.core.flags.agent_report import AGE, EVERY

CONNECT_WITHIN = 3.0
ANSWER_WITHIN = 10.0
SILENCE = 25.0
"""Seconds without a sign of life after which a stream is given up; it sends one at least every 10."""


class Control:
    """`address` is an http(s) URL, or the path of a unix socket."""

    def __init__(self, address: str, application: str, environment: str, token: str = "") -> None:
        self.address = address
        self._path = f"/v1/applications/{quote(application, safe='')}/environments/{quote(environment, safe='')}"
        self._http = _client(address, token)
        self._etag = ""

    async def snapshot(self) -> str | None:
        """The newest snapshot's text; None when it is the one that was given before."""
        with _mapped(self.address):
            response = await self._http.get(
                f"{self._path}/snapshot", headers={"If-None-Match": self._etag} if self._etag else {}
            )
        if response.status_code == httpx2.codes.NOT_MODIFIED:
            return None
        _check(response, self.address)
        self._etag = response.headers.get("etag", "")
        return response.text

    def forget(self) -> None:
        """What was given could not be used: the whole answer is wanted next time."""
        self._etag = ""

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[AsyncIterator[str]]:
        """Pieces of the stream of events, until it ends or breaks."""
        timeout = httpx2.Timeout(SILENCE, connect=CONNECT_WITHIN)
        with _mapped(self.address):
            async with self._http.stream("GET", f"{self._path}/stream", timeout=timeout) as response:
                if response.status_code != httpx2.codes.OK:
                    await response.aread()
                _check(response, self.address)
                yield response.aiter_text()

    async def report(self, content: Mapping[str, Any], age: float) -> float | None:
        """The seconds in which the next one is wanted, if that is said. `age`: seconds since this agent began."""
        with _mapped(self.address):
            response = await self._http.post(f"{self._path}/reports", json=content, headers={AGE: f"{age:.0f}"})
        _check(response, self.address)
        with contextlib.suppress(ValueError):
            return float(response.headers.get(EVERY, ""))
        return None

    async def close(self) -> None:
        await self._http.aclose()


def check_address(address: str) -> None:
    """Raises Invalid when this can be no control plane."""
    if "://" not in address:
        if not address.startswith("/"):
            raise Invalid(f"{address!r} is no control plane.", "Give an http(s) URL, or the absolute path of its unix socket.")
        return
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Invalid(f"{address!r} is no control plane.", "Give its URL, as https://tidegate.example.org.")


def _client(address: str, token: str) -> httpx2.AsyncClient:
    check_address(address)
    by_socket = "://" not in address
    return httpx2.AsyncClient(
        # Only TLS needs certificates, and reading them takes a quarter of a second.
        transport=httpx2.AsyncHTTPTransport(
            uds=address if by_socket else None, verify=address.startswith("https:"), trust_env=False
        ),
        base_url="http://tidegate" if by_socket else address.rstrip("/"),
        timeout=httpx2.Timeout(ANSWER_WITHIN, connect=CONNECT_WITHIN),
        headers={"Authorization": f"Bearer {token}"} if token else {},
        trust_env=False,
    )


def _check(response: httpx2.Response, address: str) -> None:
    status = response.status_code
    if status < 300:
        return
    if status == httpx2.codes.NOT_FOUND:
        raise NotFound("The control plane knows no flags of this application in this environment.", "Deploy some flags first.")
    if status >= 500 or status == httpx2.codes.TOO_MANY_REQUESTS:
        raise Unreachable(f"The control plane at {address} answered {status}.")
    raise Refused(f"The control plane at {address} answered {status}: {_said(response)}", "Check the address and the token.")


def _said(response: httpx2.Response) -> str:
    try:
        return str(response.json()["detail"])[:300]
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase


@contextmanager
def _mapped(address: str) -> Iterator[None]:
    try:
        yield
    except httpx2.TimeoutException as error:
        raise Unreachable(f"The control plane at {address} did not answer in time.") from error
    except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
        raise Unreachable(f"The control plane at {address} cannot be reached.") from error
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise Unreachable(f"{address} cannot be asked.", "Correct the address of the control plane.") from error
