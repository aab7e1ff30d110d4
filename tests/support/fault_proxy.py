"""Between boto3 and the emulators of AWS: an HTTP proxy that loses answers, throttles and fails, before or after AWS did it.

with FaultProxy({"ecs": ministack_url}, otherwise=moto_url) as proxy:
    proxy.arm(Fault("ModifyRule", 2, Wrong.LOST, times=3))     from the second ModifyRule on, three times
    proxy.denied = "AssumeRole"                                AWS does not allow it, whoever asks
    {one.operation for one in proxy.noted}                     what was asked for since it was armed, or told to forget
"""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.parse
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from tests.support.aws_wire import Answer, Asked, asked, trouble
from tests.support.serving import serving

OF_EACH_CONNECTION = ("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding")
"""Headers that are not passed on."""


class Wrong(StrEnum):
    """What goes wrong with one request."""

    UNHEARD = "unheard"  # the connection breaks before AWS got it
    LOST = "lost"  # AWS did it, and the connection breaks before its answer
    THROTTLED = "throttled"  # AWS says that it is too much, and did nothing
    ERROR = "error"  # AWS fails with 500, and did nothing
    DONE_AND_ERROR = "done_and_error"  # AWS did it, and says 503


@dataclass(frozen=True)
class Fault:
    """From the `nth` request of this operation on, `times` of them; of each operation by itself where none is named."""

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
        self.denied = ""
        """The operation that AWS does not allow."""
        self._noted: list[Asked] = []
        self.struck = 0
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultProxy:
        self._beside = serving(self._server)
        self._beside.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._beside.__exit__(kind, error, trace)

    def arm(self, fault: Fault | None) -> None:
        """Counts anew, and nothing else goes wrong."""
        with self._lock:
            self._fault, self.struck, self.asked, self._noted = fault, 0, Counter(), []

    def forget(self) -> None:
        self.arm(None)

    @property
    def noted(self) -> list[Asked]:
        with self._lock:
            return list(self._noted)

    def judge(self, request: Asked) -> Wrong | None:
        """Notes one request, and says what goes wrong with it."""
        with self._lock:
            self.asked[request.operation] += 1
            self._noted.append(request)
            fault = self._fault
            if fault is None or fault.operation not in ("", request.operation):
                return None
            if not fault.nth <= self.asked[request.operation] < fault.nth + fault.times:
                return None
            self.struck += 1
            return fault.wrong


_DENIED = "User: arn:aws:iam::000000000000:user/ann is not authorized to perform this"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: FaultProxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = asked(self.command, self.path, self.headers, body)
        wrong = self.server.proxy.judge(request)
        if request.operation == self.server.proxy.denied:
            self._say(trouble(request.wire, 403, said=_DENIED))
            return
        match wrong:
            case None:
                self._say(self._ask(request, body))
            case Wrong.UNHEARD:
                self._break()
            case Wrong.LOST:
                self._ask(request, body)
                self._break()
            case Wrong.THROTTLED:
                self._say(trouble(request.wire, 400))
            case Wrong.ERROR:
                self._say(trouble(request.wire, 500))
            case Wrong.DONE_AND_ERROR:
                self._ask(request, body)
                self._say(trouble(request.wire, 503))

    def _ask(self, request: Asked, body: bytes) -> Answer:
        proxy = self.server.proxy
        upstream = proxy.upstreams.get(request.service, proxy.otherwise)
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(upstream).netloc, timeout=60)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "content-length")}
            connection.request(self.command, self.path, body or None, kept)
            answer = connection.getresponse()
            passed = {name: value for name, value in answer.getheaders() if name.lower() not in OF_EACH_CONNECTION}
            return Answer(answer.status, passed, answer.read())
        finally:
            connection.close()

    def _say(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _break(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests say what went wrong."""
