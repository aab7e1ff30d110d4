"""Envoy's admin, over HTTP on its unix socket. Short timeouts: a look that hangs is a look that failed."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path
from typing import Any

import httpx2

from tidegate.core.errors import Unreachable
from tidegate.drivers.envoy.bootstrap import ADMIN_SOCKET


class Admin:
    def __init__(self, run_dir: Path, timeout: float = 2.0) -> None:
        self._socket = run_dir / ADMIN_SOCKET
        # One connection, kept: a look is made every second. It is opened again when Envoy was restarted.
        transport = httpx2.HTTPTransport(uds=str(self._socket), limits=httpx2.Limits(max_keepalive_connections=1))
        self._client = httpx2.Client(transport=transport, base_url="http://envoy", timeout=timeout)

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **query: str) -> str:
        return self._ask("GET", path, query)

    def json(self, path: str, **query: str) -> Any:
        text = self._ask("GET", path, {"format": "json", **query})
        try:
            return json.loads(text)
        except ValueError as error:
            raise Unreachable(f"Envoy answered {path} with something that is not JSON.") from error

    def post(self, path: str) -> str:
        return self._ask("POST", path, {})

    def _ask(self, method: str, path: str, query: dict[str, str]) -> str:
        url = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        try:
            answer = self._client.request(method, url)
        except httpx2.RemoteProtocolError:
            return self._ask_again(method, url)  # the kept connection had ended: Envoy was restarted
        except (httpx2.HTTPError, OSError) as error:
            raise _unreachable(self._socket, error) from error
        return _checked(path, answer)

    def _ask_again(self, method: str, url: str) -> str:
        try:
            return _checked(url, self._client.request(method, url))
        except (httpx2.HTTPError, OSError) as error:
            raise _unreachable(self._socket, error) from error


def _checked(path: str, answer: httpx2.Response) -> str:
    if answer.status_code != httpx2.codes.OK:
        raise Unreachable(f"Envoy answered {path} with status {answer.status_code}.")
    return answer.text


def _unreachable(socket: Path, error: Exception) -> Unreachable:
    return Unreachable(f"Envoy does not answer on {socket}: {str(error) or type(error).__name__}.")
