"""What a request to AWS asks for, and how trouble is said to it: in each of the ways in which boto3 speaks to AWS.

The JSON wire names the operation in a header, the query wire in the body; on the REST wire method and path name it, as
botocore's models have them.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import botocore.session

SIGNED_ALIKE = {"appconfig": ("appconfig", "appconfigdata")}
"""Services of the REST wire by the name that their requests are signed for."""
CODES = {400: "ThrottlingException", 403: "AccessDeniedException", 500: "InternalFailure", 503: "ServiceUnavailable"}
REST_CODES = CODES | {500: "InternalServerException"}
QUERY_CODES = CODES | {400: "Throttling", 403: "AccessDenied"}


class Wire(StrEnum):
    JSON = "json"
    QUERY = "query"
    REST = "rest"


@dataclass(frozen=True)
class Asked:
    """`service` and `region`: what it is signed for; `key`: with whose access key."""

    service: str
    operation: str
    wire: Wire
    key: str = ""
    region: str = ""


def asked(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """`target` is path and query. An operation that nobody knows is told as it was asked for."""
    signed = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", headers.get("authorization", ""))
    key, region, service = signed.groups() if signed else ("", "", "")
    operation, wire = _operation(service, method, target, headers, body)
    return Asked(service, operation, wire, key, region)


def _operation(service: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[str, Wire]:
    if name := headers.get("x-amz-target"):
        return name.rpartition(".")[2], Wire.JSON
    if service in SIGNED_ALIKE:
        path = urllib.parse.urlsplit(target).path
        found = (name for name, verb, pattern in _routes(service) if verb == method and pattern.fullmatch(path))
        return next(found, f"{method} {path}"), Wire.REST
    action = urllib.parse.parse_qs(body.decode(errors="replace")).get("Action")
    return action[0] if action else f"{method} {target}", Wire.QUERY


@cache
def model_of(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str]]]:
    found = []
    for model in map(model_of, SIGNED_ALIKE[service]):
        for name in model.operation_names:
            asked_by = model.operation_model(name).http
            path = re.escape(asked_by["requestUri"].partition("?")[0])
            found.append((name, asked_by["method"], re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", path))))
    return found


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def trouble(wire: Wire, status: int, code: str = "", said: str = "a test says so") -> Answer:
    """An error as this wire says it; without a `code` the usual one of its status."""
    match wire:
        case Wire.JSON:
            headers = {"content-type": "application/x-amz-json-1.1"}
            return Answer(status, headers, json.dumps({"__type": code or CODES[status], "message": said}).encode())
        case Wire.REST:
            headers = {"content-type": "application/json", "x-amzn-errortype": code or REST_CODES[status]}
            return Answer(status, headers, json.dumps({"message": said}).encode())
        case Wire.QUERY:
            text = f"<Type>Sender</Type><Code>{code or QUERY_CODES[status]}</Code><Message>{said}</Message>"
            whole = f"<ErrorResponse><Error>{text}</Error><RequestId>1</RequestId></ErrorResponse>"
            return Answer(status, {"content-type": "text/xml"}, whole.encode())
