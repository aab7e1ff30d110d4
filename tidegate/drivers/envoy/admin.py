"""Envoy's admin, over HTTP on its unix socket. Short timeouts: a look that hangs is a look that failed."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import urllib.parse
from pathlib import Path
from typing import Any

from tidegate.core.errors import Unreachable
from tidegate.drivers.envoy.bootstrap import ADMIN_SOCKET


class Admin:
    """One connection, kept: a look is made every second. It is opened again when Envoy was restarted."""

    def __init__(self, run_dir: Path, timeout: float = 2.0) -> None:
        self._socket = run_dir / ADMIN_SOCKET
        self._connection = _UnixConnection(self._socket, timeout)
        self._alone = threading.Lock()

    def close(self) -> None:
        with self._alone:
            self._connection.close()

    def get(self, path: str, **query: str) -> str:
        return self._ask("GET", path, query)

    def json(self, path: str, **query: str) -> Any:
        text = self._ask("GET", path, {"format": "json", **query})
        try:
            return json.loads(text)
        except ValueError as error:
            raise Unreachable(f"Envoy answered {path} with something that is not JSON.") from error

    def _ask(self, method: str, path: str, query: dict[str, str]) -> str:
        url = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        with self._alone:
            try:
                status, text = self._once(method, url)
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(f"Envoy does not answer on {self._socket}: {error or type(error).__name__}.") from error
        if status != http.client.OK:
            raise Unreachable(f"Envoy answered {path} with status {status}.")
        return text

    def _once(self, method: str, url: str) -> tuple[int, str]:
        kept = self._connection.sock is not None
        try:
            self._connection.request(method, url)
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (ConnectionError, http.client.HTTPException):
            self._connection.close()
            if not kept:
                raise
            return self._once(method, url)  # the kept connection had ended: Envoy was restarted
        except BaseException:
            self._connection.close()
            raise


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("envoy", timeout=timeout)
        self._path = path
        self._patience = timeout

    def connect(self) -> None:
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(self._patience)
        try:
            plain.connect(str(self._path))
        except OSError:
            plain.close()
            raise
        self.sock = plain
