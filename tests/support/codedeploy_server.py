"""Our CodeDeploy and ECS (see `our_codedeploy.py`: a state machine of ours, not AWS's) behind HTTP, for a boto3 of any process.

with CodeDeployServer(OurCodeDeploy(clock)) as server:
    AWS_ENDPOINT_URL_CODEDEPLOY = AWS_ENDPOINT_URL_ECS = server.url
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from botocore import xform_name
from botocore.parsers import create_parser

from tests.support import aws_wire
from tests.support.aws_wire import Wire, trouble
from tests.support.our_codedeploy import OurCodeDeploy, operation_of
from tests.support.serving import serving
from tidegate.core.errors import NotFound, Refused, TidegateError
from tidegate.drivers.aws.call import Call

SERVICES = {"CodeDeploy_20141006": "codedeploy", "AmazonEC2ContainerServiceV20141113": "ecs"}
"""By what begins the header that names an operation."""
NOT_THERE = {"codedeploy": "DeploymentConfigDoesNotExistException", "ecs": "ClientException"}


class CodeDeployServer:
    """Requests and answers are validated against botocore's models by what it serves; the codes of errors here."""

    def __init__(self, machine: OurCodeDeploy) -> None:
        self.machine = machine
        self.lock = threading.Lock()
        """To be held by who looks at the machine from another thread."""
        self.broken: list[str] = []
        """What is wrong with the machine itself."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.whole = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> CodeDeployServer:
        self._beside = serving(self._server)
        self._beside.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._beside.__exit__(kind, error, trace)

    def answer(self, service: str, operation: str, body: bytes) -> aws_wire.Answer:
        call = Call(service, xform_name(operation))
        shape = operation_of(call).input_shape
        asked: dict[str, Any] = create_parser("json").parse({"status_code": 200, "headers": {}, "body": body}, shape)
        asked.pop("ResponseMetadata", None)
        try:
            with self.lock:
                answer = self.machine.do(Call(service, call.operation, asked))
        except TidegateError as error:
            return self._error(call, error)
        content = json.dumps(answer, default=datetime.timestamp).encode()
        return aws_wire.Answer(200, {"content-type": "application/x-amz-json-1.1"}, content)

    @staticmethod
    def _error(call: Call, error: TidegateError) -> aws_wire.Answer:
        named = re.search(r"refused with (\w+)", error.what)
        code = NOT_THERE[call.service] if isinstance(error, NotFound) or named is None else named[1]
        assert isinstance(error, Refused | NotFound), error
        assert code in {shape.name for shape in operation_of(call).error_shapes}, (str(call), code)
        return trouble(Wire.JSON, 400, code, error.what)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    whole: CodeDeployServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # who asked was killed on the way
            self.close_connection = True
            return
        service, _, operation = self.headers.get("x-amz-target", "").rpartition(".")
        try:
            answer = self.server.whole.answer(SERVICES[service], operation, body)
        except (AssertionError, AttributeError, KeyError, TypeError) as error:
            self.server.whole.broken.append(f"{service}.{operation}: {error!r}")
            answer = trouble(Wire.JSON, 500)
        with suppress(ConnectionError):  # who asked was killed meanwhile
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
