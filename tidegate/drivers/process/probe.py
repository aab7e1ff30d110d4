"""What a health check says and how it reads the answer. Pure: bytes in, bytes out.

HTTP/1.1, and HTTP/2 without TLS for tasks that speak nothing else (http2, grpc), as much of it as one GET needs. A status
from 200 to 399 is healthy. For grpc the path is a method, as /grpc.health.v1.Health/Check, and its trailer must say
grpc-status 0; from the health service itself, SERVING.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.drivers.process import http2


@dataclass(frozen=True, slots=True)
class Check:
    """Whom to ask, how, and how often. Times are seconds."""

    host: str
    port: int
    path: str | None
    protocol: str = "http1"
    interval: float = 1.0
    timeout: float = 1.0
    healthy_after: int = 2
    unhealthy_after: int = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """`done`: nothing more is read. `why` says what is wrong, or nothing."""

    done: bool
    why: str = ""


WAIT = Answer(done=False)
GOOD = Answer(done=True)


def request(check: Check) -> bytes:
    """The bytes to send once connected; none when the connection is all that is asked for."""
    if check.path is None:
        return b""
    host = f"[{check.host}]" if ":" in check.host else check.host
    authority = f"{host}:{check.port}"
    if check.protocol != "http1":
        return http2.request(authority, check.path, grpc=check.protocol == "grpc")
    lines = (
        f"GET {check.path} HTTP/1.1",
        f"Host: {authority}",
        "User-Agent: tidegate-health",
        "Accept: */*",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode("latin-1", errors="replace")


def read(check: Check, received: bytes, ended: bool) -> Answer:
    """Judges what came so far. `ended`: nothing more will come."""
    asked = question(check)
    if check.protocol != "http1":
        serving = check.path == "/grpc.health.v1.Health/Check"
        status = http2.status(received, grpc=check.protocol == "grpc", serving=serving)
    else:
        status = _http1_status(received)
    if status is None:
        return Answer(True, f"{asked} was closed without an answer") if ended else WAIT
    if isinstance(status, str):
        return Answer(True, f"{asked} answered {status}")
    return GOOD if 200 <= status <= 399 else Answer(True, f"{asked} answered {status}")


def question(check: Check) -> str:
    """In words."""
    if check.path is None:
        return f"port {check.port}"
    return f"{'POST' if check.protocol == 'grpc' else 'GET'} {check.path} on port {check.port}"


def _http1_status(received: bytes) -> int | str | None:
    if b"\r\n" not in received and b"\n" not in received and len(received) < 1_000:
        return None
    words = received.split(b"\n", 1)[0].split()
    if len(words) >= 2 and words[0].startswith(b"HTTP/1.") and len(words[1]) == 3 and words[1].isdigit():
        return int(words[1])
    return f"no HTTP but {received[:20]!r}"
