"""Between boto3 and the emulators of AWS: an HTTP proxy that notes who asked for what, in all of AWS's ways to ask.

with NotingProxy({"sts": moto_url}, otherwise=ministack_url) as proxy:
    ...
    proxy.noted == [Noted("appconfig", "ListApplications", "AKIA...")]
"""

from __future__ import annotations

import http.client
import re
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import botocore.session


@dataclass(frozen=True)
class Noted:
    """One request, as it was signed. `service`: for which; `key`: with whose access key."""

    service: str
    operation: str
    key: str
    region: str


class NotingProxy:
    def __init__(self, upstreams: Mapping[str, str], *, otherwise: str) -> None:
        """`upstreams` by the service that a request is signed for."""
        self.upstreams, self.otherwise = upstreams, otherwise
        self.denied: str = ""
        """The operation that AWS does not allow."""
        self._noted: list[Noted] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> NotingProxy:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="noting")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join(30)
        self._server.server_close()

    @property
    def noted(self) -> list[Noted]:
        with self._lock:
            return list(self._noted)

    def note(self, noted: Noted) -> None:
        with self._lock:
            self._noted.append(noted)

    def forget(self) -> None:
        with self._lock:
            self._noted.clear()


_DENIED = b"""<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>
<Message>User: arn:aws:iam::000000000000:user/ann is not authorized to perform this</Message>
</Error><RequestId>1</RequestId></ErrorResponse>"""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: NotingProxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        signed = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", self.headers.get("authorization", ""))
        key, region, service = signed.groups() if signed else ("", "", "")
        operation = self._operation(service, body)
        self.server.proxy.note(Noted(service, operation, key, region))
        if operation == self.server.proxy.denied:
            self._say(403, [("content-type", "text/xml")], _DENIED)
            return
        upstream = self.server.proxy.upstreams.get(service, self.server.proxy.otherwise)
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(upstream).netloc, timeout=60)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "content-length")}
            connection.request(self.command, self.path, body or None, kept)
            answer = connection.getresponse()
            self._say(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def _say(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("connection", "content-length", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._pass()

    def do_POST(self) -> None:
        self._pass()

    def do_DELETE(self) -> None:
        self._pass()

    def _operation(self, service: str, body: bytes) -> str:
        if target := self.headers.get("x-amz-target"):
            return str(target).rpartition(".")[2]
        if action := urllib.parse.parse_qs(body.decode(errors="replace")).get("Action"):
            return action[0]
        path = urllib.parse.urlsplit(self.path).path
        for name, method, pattern in _routes(service):
            if method == self.command and pattern.fullmatch(path):
                return name
        return f"{self.command} {path}"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it is noted."""


@cache
def _routes(service: str) -> list[tuple[str, str, Any]]:
    """Of those that are asked by method and path, as botocore's models have them: two are signed as appconfig."""
    names = ("appconfig", "appconfigdata") if service == "appconfig" else ()
    found = []
    for name in names:
        model = botocore.session.get_session().get_service_model(name)
        for operation in model.operation_names:
            http_ = model.operation_model(operation).http
            path = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(http_["requestUri"].partition("?")[0]))
            found.append((operation, http_["method"], re.compile(path)))
    return found
