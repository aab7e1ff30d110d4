"""What one connection may take from the controller: never the files it needs itself, and no memory without end."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

import httpx2
import pytest

from tests.support.served import House
from tidegate.api.serve import OWN_FILES, Serving, most_connections
from tidegate.connection import LONGEST_HEAD

PIECE = b"x" * 4096
MANY = 10 * LONGEST_HEAD // len(PIECE)


def test_both_doors_together_leave_the_controller_its_files() -> None:
    for files in (600, 1024, 4096, 2**20):
        assert 100 <= most_connections(files) <= 2500
        assert 2 * most_connections(files) + OWN_FILES <= files


@pytest.fixture
def serving(house: House) -> Iterator[Serving]:
    serving = house.serve(0)
    yield serving
    serving.stop()


def _answer(serving: Serving, pieces: Iterable[bytes]) -> str:
    """The status with which these are answered, sent one after the other for as long as somebody takes them."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(20)
        wire.connect(str(serving.socket))
        try:
            for piece in pieces:
                wire.sendall(piece)
        except BrokenPipeError:
            pass  # closed by the other side, whose answer is there to be read
        return wire.recv(4096)[:12].decode()


GET = b"GET /v1/health HTTP/1.1\r\nHost: tidegate\r\n"
CHUNKED = b"POST /v1/validate HTTP/1.1\r\nHost: tidegate\r\nTransfer-Encoding: chunked\r\n\r\n"
HEADERS = [b"X-%d: %s\r\n" % (number, PIECE) for number in range(MANY)]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([GET, b"X-Long: ", *[PIECE] * MANY], id="one header"),
        pytest.param([GET, *[PIECE] * MANY], id="one header's name"),
        pytest.param([GET, *HEADERS, b"\r\n"], id="many headers"),
        pytest.param([GET + b"".join(HEADERS[:12]) + b"\r\n"], id="many headers in one piece"),
        pytest.param([b"GET /", *[PIECE] * MANY], id="the path"),
        pytest.param([CHUNKED, b"2\r\n{}\r\n0\r\n", *HEADERS, b"\r\n"], id="trailers"),
        pytest.param([CHUNKED, b"2;", *[PIECE] * MANY], id="one chunk's extension"),
    ],
)
def test_headers_without_end_are_refused_before_they_are_collected(serving: Serving, pieces: list[bytes]) -> None:
    assert _answer(serving, pieces) == "HTTP/1.1 400"


def test_headers_just_below_the_limit_and_a_body_far_above_it_are_read(serving: Serving) -> None:
    below = b"".join(HEADERS[: LONGEST_HEAD // len(PIECE) - 1])
    assert _answer(serving, [GET + below + b"\r\n"]) == "HTTP/1.1 200"
    body = b"{" + b" " * (LONGEST_HEAD * 4) + b"}"
    head = (
        b"POST /v1/validate HTTP/1.1\r\nHost: tidegate\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(body)
    )
    assert _answer(serving, [head, body]) == "HTTP/1.1 422"
    chunks = [b"%x\r\n%s\r\n" % (len(body[at : at + 100]), body[at : at + 100]) for at in range(0, len(body), 100)]
    assert _answer(serving, [CHUNKED, *chunks, b"0\r\n\r\n"]) == "HTTP/1.1 422"


def test_requests_on_one_connection_count_each_for_itself(serving: Serving) -> None:
    transport = httpx2.HTTPTransport(uds=str(serving.socket))
    with httpx2.Client(transport=transport, base_url="http://tidegate", headers={"X-Large": PIECE.decode()}) as client:
        for _ in range(2 * LONGEST_HEAD // len(PIECE)):
            assert client.get("/v1/health").status_code == httpx2.codes.OK
