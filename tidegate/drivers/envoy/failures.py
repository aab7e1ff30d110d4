"""What counts as a failure, as Envoy's access log filters: of an attempt, and of a request as its user saw it.

Status 5xx; reset, refused, timed out or cut off in mid-body; and of gRPC the statuses that are the server's fault. A client
that went away is nobody's failure.
"""

from __future__ import annotations

from tidegate.drivers.envoy.resource import Json

# Connection failed, reset by the task or by us, cut off, protocol error, timed out, no healthy task, too many.
_FLAGS = ["UF", "UC", "UR", "LR", "UPE", "UT", "UH", "UO", "UMSDR"]

_GRPC = ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]


def failed() -> Json:
    """An attempt, or a whole request: one that was retried well has neither the status nor the flag."""
    return {"or_filter": {"filters": [_status("GE", 500), _flagged(), _grpc()]}}


def answered() -> Json:
    return _status("GE", 1)


def _status(op: str, code: int) -> Json:
    value = {"default_value": code, "runtime_key": "tidegate.unset"}
    return {"status_code_filter": {"comparison": {"op": op, "value": value}}}


def _flagged() -> Json:
    return {"response_flag_filter": {"flags": _FLAGS}}


def _grpc() -> Json:
    """Only where the request is gRPC: the filter takes an answer without a status for one that is UNKNOWN."""
    asked = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    return {"and_filter": {"filters": [{"header_filter": {"header": asked}}, {"grpc_status_filter": {"statuses": _GRPC}}]}}
