"""What counts as a failure: of an attempt, and of a request as its user saw it.

Status 5xx; reset, refused, timed out or cut off in mid-body; and of gRPC the statuses that are the server's fault. A client
that went away is nobody's failure. Envoy's access log filters and the reading of its counters both go by this page.
"""

from __future__ import annotations

from tidegate.drivers.envoy.resource import Json

# Connection failed, reset by the task or by us, cut off, protocol error, timed out, no healthy task, too many.
_FLAGS = ("UF", "UC", "UR", "LR", "UPE", "UT", "UH", "UO", "UMSDR")

_GRPC = {2: "UNKNOWN", 4: "DEADLINE_EXCEEDED", 12: "UNIMPLEMENTED", 13: "INTERNAL", 14: "UNAVAILABLE", 15: "DATA_LOSS"}


def is_failure(code: str, flags: str, grpc: str) -> bool:
    """By the words that Envoy writes for these three, each of which may be empty."""
    if code.isdigit() and int(code) >= 500:
        return True
    return not set(flags.split(",")).isdisjoint(_FLAGS) or (grpc.isdigit() and int(grpc) in _GRPC)


def failed() -> Json:
    """A whole request: one that was retried well has neither the status nor the flag."""
    return {"or_filter": {"filters": _failures()}}


def failed_or_unanswered() -> Json:
    """An attempt that was not plainly good."""
    return {"or_filter": {"filters": [*_failures(), _status("LE", 0)]}}


def answered() -> Json:
    return _status("GE", 1)


def _failures() -> list[Json]:
    return [_status("GE", 500), {"response_flag_filter": {"flags": list(_FLAGS)}}, _grpc()]


def _status(op: str, code: int) -> Json:
    value = {"default_value": code, "runtime_key": "tidegate.unset"}
    return {"status_code_filter": {"comparison": {"op": op, "value": value}}}


def _grpc() -> Json:
    """Only where the request is gRPC: the filter takes an answer without a status for one that is UNKNOWN."""
    asked = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    return {
        "and_filter": {
            "filters": [{"header_filter": {"header": asked}}, {"grpc_status_filter": {"statuses": list(_GRPC.values())}}]
        }
    }
