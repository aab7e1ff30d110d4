"""Asks the controller through its unix socket. Problem documents become the errors that they were."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import httpx2

from tidegate.core.errors import Conflict, Invalid, NotFound, Refused, Stale, TidegateError, Unreachable
from tidegate.settings import Settings, read_settings

PATIENCE = 60.0
"""Seconds for one answer. Orders are written at once; a busy database may take a few."""
SILENCE = 25.0
"""Seconds without a sign of life after which a stream is given up; it sends one at least every 10."""

Params = Mapping[str, str | int | None]


class Client:
    def __init__(self, settings: Settings, patience: float = PATIENCE) -> None:
        self._socket = settings.socket
        self._http = httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(settings.socket), trust_env=False),
            base_url="http://tidegate/v1",
            timeout=httpx2.Timeout(patience, connect=2.0),
            headers={"X-Tidegate-User": os.environ.get("SUDO_USER") or os.environ.get("USER") or ""},
            trust_env=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: str | int | None) -> Any:
        return self._ask("GET", path, params=params)

    def post(self, path: str, content: object = None) -> Any:
        return self._ask("POST", path, content=content)

    def put(self, path: str, content: object) -> Any:
        return self._ask("PUT", path, content=content)

    def delete(self, path: str, content: object = None) -> Any:
        return self._ask("DELETE", path, content=content)

    def _ask(self, method: str, path: str, *, params: Params | None = None, content: object = None) -> Any:
        self._knock()
        with self._mapped():
            return _read(self._http.request(method, path, params=_given(params or {}), json=content))

    def health(self) -> Any:
        """What it says of itself, also when that is bad."""
        self._knock()
        with self._mapped():
            return self._http.get("/health").json()

    @contextmanager
    def lines(self, path: str, *, params: Params, headers: Mapping[str, str] | None = None) -> Iterator[Iterator[str]]:
        """The lines of an answer that does not end by itself."""
        self._knock()
        timeout = httpx2.Timeout(SILENCE, connect=2.0)
        with (
            self._mapped(),
            self._http.stream("GET", path, params=_given(params), headers=headers, timeout=timeout) as response,
        ):
            if response.status_code >= 400:
                response.read()
                _read(response)
            yield response.iter_lines()

    def _knock(self) -> None:
        """Raises NotRunning when nobody listens. Asked first, for the library leaves a socket open when it cannot connect."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(2.0)
            try:
                door.connect(str(self._socket))
            except TimeoutError as error:
                raise Unreachable("Tidegate is too busy to answer.", "Look what it does: tidegate doctor.") from error
            except OSError as error:
                raise not_running(self._socket) from error

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise not_running(self._socket) from error
        except httpx2.TimeoutException as error:
            raise Unreachable("Tidegate did not answer in time.", "Look what it does: tidegate doctor.") from error
        except httpx2.HTTPError as error:
            raise Unreachable("The connection to Tidegate broke.", "Look whether it runs: tidegate doctor.") from error


class NotRunning(Unreachable):
    """Nobody listens on the socket."""


def not_running(path: Path) -> NotRunning:
    try:
        there = path.exists()
    except PermissionError:
        there = True
    if there and not os.access(path, os.W_OK):
        mend = "Run this as that user, or set TIDEGATE_HOME."
        return NotRunning(f"You may not use {path}: it belongs to another user.", mend)
    return NotRunning(f"Tidegate does not run here (nobody listens on {path}).", "Start it: tidegate up --detach.")


def open_client(patience: float = PATIENCE) -> Client:
    return Client(read_settings(), patience)


def path_of(*parts: str) -> str:
    """`/services/web/logs`; whatever a part holds, it stays one part."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _given(params: Params) -> dict[str, str | int]:
    return {name.rstrip("_"): value for name, value in params.items() if value is not None}


def _read(response: httpx2.Response) -> Any:
    try:
        content = response.json()
    except ValueError as error:
        raise Unreachable(f"Tidegate answered with something strange (status {response.status_code}).") from error
    if response.status_code >= 400:
        _raise(content)
    return content


_KINDS: dict[str, type[TidegateError]] = {
    "not-found": NotFound,
    "conflict": Conflict,
    "unreachable": Unreachable,
    "unforeseen": Unreachable,
}


def _raise(problem: Mapping[str, Any]) -> NoReturn:
    kind = str(problem.get("type", "")).removeprefix("urn:tidegate:")
    what, mend = str(problem.get("detail", "It was refused.")), str(problem.get("mend", ""))
    if kind == "invalid":
        raise Invalid(what, mend, str(problem.get("where", "")))
    if kind == "stale":
        raise Stale(what.partition(" was changed")[0])
    raise _KINDS.get(kind, Refused)(what, mend)
