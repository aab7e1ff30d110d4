"""WebSocket, HTTP/2, gRPC and TLS, through a real Envoy. HTTP/2 is asked by curl."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.envoy.bench import Bench, a_service, free_port, side
from tests.drivers.envoy.test_sticky import expected
from tests.support.backend import Fault
from tests.support.certificates import a_certificate
from tests.support.h2_backend import H2Backend
from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.ports import Routing, Slot

pytestmark = pytest.mark.real


def speaks_http_2() -> bool:
    if shutil.which("curl") is None:
        return False
    return "HTTP2" in subprocess.run(["curl", "--version"], capture_output=True, text=True, check=False).stdout


needs_curl = pytest.mark.skipif(not speaks_http_2(), reason="needs curl with HTTP/2")


def curl(*arguments: str) -> str:
    """Head, body and trailers of the answer."""
    done = subprocess.run(["curl", "-s", "-i", "-m", "5", *arguments], capture_output=True, timeout=20, check=False)
    return done.stdout.decode(errors="replace")


def a_call(bench: Bench, *more: str) -> str:
    """A gRPC call; the answer's grpc-status."""
    frame = ["--data-binary", "\x01" * 5, "-H", "content-type: application/grpc", "-H", "te: trailers"]
    done = subprocess.run(
        ["curl", "-sv", "-m", "5", "--http2-prior-knowledge", *frame, *more, f"http://127.0.0.1:{bench.port}/shop.Cart/Add"],
        capture_output=True,
        timeout=20,
        check=False,
    )
    found = re.search(r"< grpc-status: (\d+)", done.stderr.decode(errors="replace"))
    return found[1] if found else ""


def upgraded(bench: Bench) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", bench.port), 5)
    plain.sendall(
        b"GET /chat HTTP/1.1\r\nhost: a\r\nx-user-id: u\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    )
    head = plain.recv(4096)
    assert head.startswith(b"HTTP/1.1 101"), head
    return plain


def echoes(plain: socket.socket, text: bytes) -> bool:
    plain.sendall(text)
    return plain.recv(4096) == text


def test_a_websocket_goes_through_and_is_cut_neither_by_the_timeout_nor_by_a_rollback(bench: Bench) -> None:
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    service = bench.web(listener={"timeout": "200ms"})
    bench.route(Routing(service, "s", side("v1", v1.port), side("v2", v2.port), FULL))
    bench.healthy("web.candidate")
    with upgraded(bench) as plain:
        assert echoes(plain, b"one")
        bench.route(Routing(service, "s", side("v1", v1.port), side("v2", v2.port), NONE))
        bench.route(Routing(service, "s", side("v1", v1.port), None, NONE))
        bench.until(lambda: echoes(plain, b"again"), "it echoes")
        time.sleep(0.5)  # longer than the timeout of a request
        assert echoes(plain, b"two")
    assert (v1.upgrades, v2.upgrades) == (0, 1)


@needs_curl
def test_http_2_without_tls_is_understood_on_the_same_port(bench: Bench) -> None:
    v1 = bench.backend("v1")
    bench.route(Routing(bench.web(), "s", side("v1", v1.port), None))
    answer = curl("--http2-prior-knowledge", f"http://127.0.0.1:{bench.port}/")
    assert answer.startswith("HTTP/2 200")
    assert "x-version: v1" in answer
    assert "set-cookie: tidegate=" in answer


@needs_curl
def test_cookie_crumbs_of_http_2_are_read_as_one_cookie(bench: Bench) -> None:
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    bench.route(Routing(bench.web(), "s", side("v1", v1.port), side("v2", v2.port), Exposure(5000)))
    bench.healthy("web.stable", "web.candidate")
    for number in range(8):
        user = f"{number:08x}-1111-4222-8333-444455556666"
        answer = curl(
            "--http2-prior-knowledge", "-H", "cookie: a=1", "-H", f"cookie: tidegate={user}", f"http://127.0.0.1:{bench.port}/"
        )
        assert f"x-version: {expected(user, 5000, 's')}" in answer


@needs_curl
def test_tasks_may_speak_http_2(bench: Bench) -> None:
    with H2Backend("v1") as v1:
        service = bench.web(tasks={"protocol": "http2", "health": {"interval": "1s"}})
        bench.route(Routing(service, "s", side("v1", v1.port), None))
        bench.until(lambda: bench.status() == (200, "v1"), "it is served")


@pytest.mark.parametrize("fault", [1, 3, 5, 7, 8, 9, 10, 11, 16])
@needs_curl
def test_of_grpc_the_clients_own_errors_are_no_failures(bench: Bench, fault: int) -> None:
    assert grpc_failures(bench, fault, trailers_only=False) == (0, 0)


@pytest.mark.parametrize("fault", [2, 4, 12, 13, 14, 15])
@needs_curl
def test_of_grpc_the_servers_errors_are_failures_that_users_see(bench: Bench, fault: int) -> None:
    assert grpc_failures(bench, fault, trailers_only=False) == (3, 3)


@needs_curl
def test_of_grpc_an_unavailable_candidate_is_rescued_and_counted(bench: Bench) -> None:
    assert grpc_failures(bench, 14, trailers_only=True) == (3, 0)


@needs_curl
def test_of_grpc_an_internal_error_is_not_sent_again(bench: Bench) -> None:
    assert grpc_failures(bench, 13, trailers_only=True) == (3, 3)


def grpc_failures(bench: Bench, status: int, *, trailers_only: bool) -> tuple[int, int]:
    """Failures counted against the candidate, and seen by users, of three calls."""
    with H2Backend("v1") as v1, H2Backend("v2") as v2:
        v1.grpc_status, v2.grpc_status, v2.trailers_only = 0, status, trailers_only
        service = bench.web(tasks={"protocol": "grpc", "health": {"interval": "1s"}})
        bench.route(Routing(service, "s", side("v1", v1.port), side("v2", v2.port), FULL))
        bench.healthy("web.stable", "web.candidate")
        rescued = trailers_only and status == 14
        assert [a_call(bench) for _ in range(3)] == ["0" if rescued else str(status)] * 3
        assert v1.begun == (3 if rescued else 0)
        reading = bench.reading()
        assert reading.tallies[Slot.CANDIDATE, "v2"].finished == 3
        return reading.tallies[Slot.CANDIDATE, "v2"].failed, reading.seen_failures


@needs_curl
def test_a_grpc_call_is_cut_by_its_own_deadline_and_not_by_the_listeners(bench: Bench) -> None:
    with H2Backend("v1") as v1, H2Backend("v2") as v2:
        service = bench.web(listener={"timeout": "100ms"}, tasks={"protocol": "grpc", "health": {"interval": "1s"}})
        bench.route(Routing(service, "s", side("v1", v1.port), side("v2", v2.port), FULL))
        bench.healthy("web.stable", "web.candidate")
        v2.grpc_status, v2.hangs = 0, True
        began = time.monotonic()
        assert a_call(bench, "-H", "grpc-timeout: 700m") == "4"
        assert 0.6 < time.monotonic() - began < 3
        reading = bench.reading()
        assert reading.tallies[Slot.CANDIDATE, "v2"].failed == 1
        assert reading.seen_failures == 1


def test_versions_that_speak_otherwise_stand_side_by_side_without_rescue(bench: Bench) -> None:
    v1 = bench.backend("v1")
    with H2Backend("v2") as v2:
        service = bench.web()
        spoken = a_service(tasks={"protocol": "http2", "health": {"interval": "1s"}}).tasks
        slot = replace(side("v2", v2.port), tasks=spoken)
        stable = replace(side("v1", v1.port), tasks=service.tasks)
        bench.route(Routing(service, "s", stable, slot, Exposure(5000)))
        bench.healthy("web.stable", "web.candidate")
        client = bench.client()
        assert {client.get("/", {"x-user-id": f"u{number}"}).version for number in range(40)} == {"v1", "v2"}
        bench.route(Routing(service, "s", slot, slot, FULL))
        bench.route(Routing(service, "s", slot, slot, NONE))
        bench.route(Routing(service, "s", slot, None, NONE))
        assert {client.get("/", {"x-user-id": f"u{number}"}).version for number in range(40)} == {"v2"}


def test_a_candidate_with_another_health_check_is_still_rescued(bench: Bench) -> None:
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    service = bench.web()
    other = a_service(tasks={"health": {"path": "/", "interval": "200ms"}}).tasks
    stable, slot = replace(side("v1", v1.port), tasks=service.tasks), replace(side("v2", v2.port), tasks=other)
    v1.healthy = True
    bench.route(Routing(service, "s", stable, slot, FULL))
    bench.healthy("web.candidate")
    v2.fault = Fault("500", share=0.5, methods={"PUT"})
    client = bench.client()
    assert {client.ask("PUT", "/", {"x-user-id": f"u{number}"}).status for number in range(20)} == {200}


def test_tls_offers_http_2_and_a_replaced_certificate_is_taken_without_a_restart(bench: Bench, tmp_path: Path) -> None:
    v1 = bench.backend("v1")
    first, other = a_certificate(tmp_path / "first", "one.example.org"), a_certificate(tmp_path / "other", "two.example.org")
    live = tmp_path / "live"
    live.mkdir()
    tls = {"certificate": str(live / "cert.pem"), "key": str(live / "key.pem")}
    put(first, live)
    service = bench.web(listener={"tls": tls})
    bench.route(Routing(service, "s", side("v1", v1.port), None))
    bench.until(lambda: served_by(bench.port) == ("one.example.org", "h2"), "the first certificate")
    put(other, live)
    bench.until(lambda: served_by(bench.port)[0] == "two.example.org", "the replaced certificate")


def test_a_certificate_written_in_place_or_behind_a_link_is_taken_at_the_next_turn(bench: Bench, tmp_path: Path) -> None:
    v1 = bench.backend("v1")
    first, other = a_certificate(tmp_path / "first", "one.example.org"), a_certificate(tmp_path / "other", "two.example.org")
    live = tmp_path / "live"
    live.mkdir()
    tls = {"certificate": str(live / "cert.pem"), "key": str(live / "key.pem")}
    for name in ("cert.pem", "key.pem"):
        (live / name).symlink_to(first / name)
    routing = Routing(bench.web(listener={"tls": tls}), "s", side("v1", v1.port), None)
    bench.route(routing)
    bench.until(lambda: served_by(bench.port)[0] == "one.example.org", "the first certificate")
    for name in ("cert.pem", "key.pem"):
        (live / name).unlink()
        (live / name).symlink_to(other / name)
    bench.router.route([routing])
    bench.until(lambda: served_by(bench.port)[0] == "two.example.org", "the certificate behind the new link")
    for name in ("cert.pem", "key.pem"):
        (other / name).write_bytes((first / name).read_bytes())
    bench.router.route([routing])
    bench.until(lambda: served_by(bench.port)[0] == "one.example.org", "the certificate written in place")


def test_two_ports_with_tls_have_each_their_own_certificate(bench: Bench, tmp_path: Path) -> None:
    v1 = bench.backend("v1")
    ports = {"one.example.org": bench.port, "two.example.org": free_port()}
    for name, port in ports.items():
        folder = a_certificate(tmp_path / name, name)
        tls = {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
        service = a_service(name.split(".")[0], port=port, listener={"tls": tls})
        bench.route(Routing(service, "s", side("v1", v1.port), None))
    for name, port in ports.items():
        bench.until(lambda port=port, name=name: served_by(port)[0] == name, name)


def put(source: Path, target: Path) -> None:
    """As careful people do it: written aside, then renamed."""
    for name in ("cert.pem", "key.pem"):
        aside = target / f".{name}"
        aside.write_bytes((source / name).read_bytes())
        aside.replace(target / name)


def served_by(port: int) -> tuple[str, str]:
    """The common name of the certificate, and the protocol that was agreed on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain) as safe:
            der = safe.getpeercert(binary_form=True) or b""
            found = re.search(rb"(one|two)\.example\.org", der)
            return (found[0].decode() if found else ""), safe.selected_alpn_protocol() or ""
    except OSError:
        return "", ""


def test_requests_pass_through_tls(bench: Bench, tmp_path: Path) -> None:
    v1 = bench.backend("v1")
    folder = a_certificate(tmp_path / "tls", "one.example.org")
    tls = {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
    bench.route(Routing(bench.web(listener={"tls": tls}), "s", side("v1", v1.port), None))
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    plain = socket.create_connection(("127.0.0.1", bench.port), 5)
    with context.wrap_socket(plain, server_hostname="one.example.org") as safe:
        safe.sendall(b"GET /echo HTTP/1.1\r\nhost: one.example.org\r\nx-user-id: u\r\n\r\n")
        answer = b""
        while b"x-tidegate-side" not in answer:
            answer += safe.recv(4096)
    assert b"x-forwarded-proto: https" in answer
