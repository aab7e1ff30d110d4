"""Between boto3 and the emulators of AWS: an HTTP proxy that loses answers, throttles and fails, before or after AWS did it.

with FaultProxy({"ecs": ministack_url}, otherwise=moto_url) as proxy:
    proxy.arm(Fault("ModifyRule", 2, Wrong.LOST, times=3))     from the second ModifyRule on, three times
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import urllib.parse
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


class Wrong(StrEnum):
    """What goes wrong with one request."""

    UNHEARD = "unheard"  # the connection breaks before AWS got it
    LOST = "lost"  # AWS did it, and the connection breaks before its answer
    THROTTLED = "throttled"  # AWS says that it is too much, and did nothing
    ERROR = "error"  # AWS fails with 500, and did nothing
    DONE_AND_ERROR = "done_and_error"  # AWS did it, and says 500


@dataclass(frozen=True)
class Fault:
    """From the `nth` request of this operation on, `times` of them."""

    operation: str
    nth: int
    wrong: Wrong
    times: int = 1


class FaultProxy:
    def __init__(self, upstreams: Mapping[str, str], *, otherwise: str) -> None:
        """`upstreams` by the service that a request is signed for."""
        self.upstreams, self.otherwise = upstreams, otherwise
        self.asked: Counter[str] = Counter()
        """By operation, since it was armed."""
        self.signed: set[tuple[str, str]] = set()
        """The services that requests were signed for, with their operations, since then."""
        self.struck = 0
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultProxy:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="faults")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join(30)
        self._server.server_close()

    def arm(self, fault: Fault | None) -> None:
        """Counts anew, and nothing else goes wrong."""
        with self._lock:
            self._fault, self.struck, self.asked, self.signed = fault, 0, Counter(), set()

    def judge(self, service: str, operation: str) -> Wrong | None:
        """Notes one request, and says what goes wrong with it."""
        with self._lock:
            self.asked[operation] += 1
            self.signed.add((service, operation))
            fault = self._fault
            if fault is None or fault.operation != operation:
                return None
            if not fault.nth <= self.asked[operation] < fault.nth + fault.times:
                return None
            self.struck += 1
            return fault.wrong


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: FaultProxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        operation, is_json = _operation(self.headers.get("x-amz-target", ""), body)
        match self.server.proxy.judge(self._service(), operation):
            case None:
                self._say(*self._ask(body))
            case Wrong.UNHEARD:
                self._break()
            case Wrong.LOST:
                self._ask(body)
                self._break()
            case Wrong.THROTTLED:
                self._say(400, *_problem("ThrottlingException" if is_json else "Throttling", is_json=is_json))
            case Wrong.ERROR:
                self._say(500, *_problem("InternalFailure", is_json=is_json))
            case Wrong.DONE_AND_ERROR:
                self._ask(body)
                self._say(500, *_problem("InternalFailure", is_json=is_json))

    def _service(self) -> str:
        """What it is signed for."""
        signed = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", self.headers.get("authorization", ""))
        return signed[1] if signed else ""

    def _ask(self, body: bytes) -> tuple[int, str, bytes]:
        proxy = self.server.proxy
        upstream = proxy.upstreams.get(self._service(), proxy.otherwise)
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(upstream).netloc, timeout=60)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "content-length")}
            connection.request("POST", self.path, body, kept)
            answer = connection.getresponse()
            return answer.status, answer.getheader("content-type", ""), answer.read()
        finally:
            connection.close()

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _break(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests say what went wrong."""


def _operation(target: str, body: bytes) -> tuple[str, bool]:
    """Its name, and whether its answers are JSON."""
    if target:
        return target.rpartition(".")[2], True
    return urllib.parse.parse_qs(body.decode(errors="replace")).get("Action", [""])[0], False


def _problem(code: str, *, is_json: bool) -> tuple[str, bytes]:
    if is_json:
        return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": "a test says so"}).encode()
    text = f"<Type>Sender</Type><Code>{code}</Code><Message>a test says so</Message>"
    return "text/xml", f"<ErrorResponse><Error>{text}</Error><RequestId>1</RequestId></ErrorResponse>".encode()
