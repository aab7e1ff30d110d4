"""Hosts, paths, testers, tasks: where a request goes besides to its side."""

from __future__ import annotations

import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.drivers.envoy.bench import Bench, a_service, free_port, side
from tests.drivers.envoy.test_sticky import expected
from tests.support.backend import Fault
from tests.support.certificates import a_certificate
from tests.support.client import Client
from tidegate.core.errors import Refused
from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.service import Service
from tidegate.ports import Endpoint, Routing, Side, Slot

pytestmark = pytest.mark.real

SECRET = "open-sesame"


def places(bench: Bench, **listeners: dict[str, object]) -> None:
    """One service for each of these, all on one port, each answering with its own name."""
    routings = []
    for name, listener in listeners.items():
        backend = bench.backend(name)
        routings.append(Routing(a_service(name, port=bench.port, listener=listener), "s", side(name, backend.port), None))
    bench.route(*routings)
    bench.until(lambda: all(bench.stable_is_healthy(name) for name in listeners), "all are healthy")


def test_the_longest_path_wins_and_a_prefix_ends_at_a_slash(bench: Bench) -> None:
    places(bench, root={"path": "/"}, api={"path": "/api"}, deep={"path": "/api/v2/"})
    client = bench.client()
    asked = {
        "/": "root",
        "/apix": "root",
        "/api": "api",
        "/api/": "api",
        "/api?x=1": "api",
        "/api/v2x": "api",
        "/api/v2": "deep",
        "/api/v2/x": "deep",
        "/API": "root",
        "/x/../api/y": "api",
    }
    assert {path: client.get(path).version for path in asked} == asked


def test_hosts_are_told_apart_and_any_takes_what_is_left(bench: Bench) -> None:
    places(
        bench,
        anything={"host": "*"},
        shop={"host": "shop.example.org"},
        wild={"host": "*.example.org"},
        admin={"host": "shop.example.org", "path": "/admin"},
        wildapi={"host": "*.example.org", "path": "/api"},
    )
    client = bench.client()
    asked = {
        ("elsewhere.net", "/"): "anything",
        ("example.org", "/"): "anything",
        ("shop.example.org", "/"): "shop",
        ("SHOP.example.org", "/"): "shop",
        ("shop.example.org:8080", "/x"): "shop",
        ("shop.example.org", "/admin/x"): "admin",
        ("a.example.org", "/"): "wild",
        ("a.b.example.org", "/api"): "wildapi",
        ("shop.example.org", "/api"): "shop",
    }
    assert {key: client.get(key[1], host=key[0]).version for key in asked} == asked


def test_a_path_that_a_host_does_not_have_is_answered_by_whoever_takes_any_host(bench: Bench) -> None:
    places(bench, anything={"host": "*", "path": "/"}, api={"host": "shop.example.org", "path": "/api"})
    client = bench.client()
    assert client.get("/api", host="shop.example.org").version == "api"
    assert client.get("/", host="shop.example.org").version == "anything"


def test_services_on_one_port_keep_their_own_exposure_and_salt(bench: Bench) -> None:
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    for name, exposure, salt in (("one", 2000, "a"), ("two", 8000, "b")):
        service = a_service(name, port=bench.port, listener={"path": f"/{name}"})
        bench.route(Routing(service, salt, side("v1", v1.port), side("v2", v2.port), Exposure(exposure)))
    bench.healthy("one.stable", "one.candidate", "two.stable", "two.candidate")
    client = bench.client()
    for number in range(60):
        user = f"u{number}"
        assert client.get("/one", {"x-user-id": user}).version == expected(user, 2000, "a")
        assert client.get("/two", {"x-user-id": user}).version == expected(user, 8000, "b")


def forced(bench: Bench, exposure: Exposure = NONE, *, slot: bool = True) -> tuple[int, int]:
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    service = bench.web(force={"secret": SECRET})
    bench.route(Routing(service, "s", side("v1", v1.port), side("v2", v2.port) if slot else None, exposure))
    bench.healthy("web.stable", "web.candidate")
    return v1.port, v2.port


def force(word: str, secret: str = SECRET) -> dict[str, str]:
    return {"x-tidegate-force": f"{word} {secret}"}


def test_a_tester_with_the_secret_chooses_his_side_before_any_user_sees_it(bench: Bench) -> None:
    forced(bench, NONE)
    client = bench.client()
    assert client.get("/", force("candidate")).version == "v2"
    assert client.get("/", force("baseline")).version == "v1"
    assert client.get("/", {}).version == "v1"
    bench.expose(10_000)
    assert client.get("/", force("baseline")).version == "v1"
    assert client.get("/", {}).version == "v2"


def test_a_wrong_secret_changes_nothing_and_no_task_sees_it(bench: Bench) -> None:
    forced(bench, NONE)
    client = bench.client()
    for wrong in ("candidate wrong-secret", f"candidate  {SECRET}", "candidate", f"CANDIDATE {SECRET}", SECRET):
        answer = client.get("/echo", {"x-tidegate-force": wrong})
        assert answer.version == "v1", wrong
        assert b"x-tidegate-force" not in answer.body
    answer = client.get("/echo", force("candidate") | {"x-user-id": "tester-7"})
    assert SECRET.encode() not in answer.body
    assert b"x-tidegate-side: candidate" in answer.body
    assert b"x-tidegate-id: tester-7" in answer.body


def test_testers_are_no_users_the_candidates_counts_leave_them_out(bench: Bench) -> None:
    forced(bench, FULL)
    client = bench.client()
    for _ in range(5):
        client.get("/", force("candidate"))
    client.get("/", {"x-user-id": "u"})
    reading = bench.reading()
    assert reading.tallies[Slot.CANDIDATE, "v2"].begun == 1
    assert sum(tally.begun for tally in reading.tallies.values()) == 1


def test_a_tester_sees_the_candidates_failures_as_they_are(bench: Bench) -> None:
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    service = bench.web(force={"secret": SECRET})
    bench.route(Routing(service, "s", side("v1", v1.port), side("v2", v2.port)))
    bench.healthy("web.stable", "web.candidate")
    v2.fault = Fault("500")
    client = bench.client()
    assert [client.get("/", force("candidate")).status for _ in range(10)] == [500] * 10
    assert bench.reading().seen_failures == 0


def test_a_tester_without_a_candidate_is_told_so(bench: Bench) -> None:
    forced(bench, NONE, slot=False)
    assert bench.client().get("/", force("candidate")).status == 503


def test_a_user_stays_on_one_task_of_his_side(bench: Bench) -> None:
    backends = [bench.backend(name) for name in ("a1", "a2", "a3", "b1", "b2", "b3")]
    one, two = (
        side(version, *(backend.port for backend in found)) for version, found in (("a", backends[:3]), ("b", backends[3:]))
    )
    bench.route(Routing(bench.web(stickiness={"to_task": True}), "s", one, two, Exposure(5000)))
    bench.healthy("web.stable", "web.candidate")
    went: dict[str, set[str]] = {}
    for _ in range(3):
        with Client(bench.port) as client:
            for number in range(60):
                went.setdefault(f"u{number}", set()).add(client.get("/", {"x-user-id": f"u{number}"}).version)
    assert all(len(tasks) == 1 for tasks in went.values())
    assert {task for tasks in went.values() for task in tasks} == {"a1", "a2", "a3", "b1", "b2", "b3"}


def test_a_user_whose_task_died_goes_to_another_of_the_same_side(bench: Bench) -> None:
    backends = [bench.backend(name) for name in ("a1", "a2", "a3")]
    bench.route(Routing(bench.web(stickiness={"to_task": True}), "s", side("a", *(each.port for each in backends)), None))
    bench.healthy("web.stable")
    client = bench.client()
    before = {number: client.get("/", {"x-user-id": f"u{number}"}).version for number in range(40)}
    backends[0].die()
    after = {number: client.get("/", {"x-user-id": f"u{number}"}) for number in range(40)}
    assert {answer.status for answer in after.values()} == {200}
    assert all(after[number].version == task for number, task in before.items() if task != "a1")
    assert all(after[number].version != "a1" for number in before)


def test_forwarded_addresses_are_believed_for_as_many_hops_as_are_trusted(bench: Bench) -> None:
    v1 = bench.backend("v1")
    for hops in (0, 1):
        bench.route(Routing(bench.web(listener={"trusted_hops": hops}), "s", side("v1", v1.port), None))
        bench.until(lambda hops=hops: external(bench) == ("203.0.113.9" if hops else "127.0.0.1"), f"{hops} hops")


def external(bench: Bench) -> str:
    with Client(bench.port) as client:
        body = client.get("/echo", {"x-forwarded-for": "203.0.113.9"}).body.decode()
    return next((line.split(": ")[1] for line in body.split("\r\n") if line.startswith("x-envoy-external-address")), "")


def test_tasks_that_are_not_healthy_get_nothing_while_others_are(bench: Bench) -> None:
    sick, well = bench.backend("sick"), bench.backend("well")
    bench.route(Routing(bench.web(), "s", side("v1", sick.port, well.port), None))
    bench.healthy("web.stable")
    sick.healthy = False
    bench.until(lambda: "failed_active_hc" in bench.router._admin.get("/clusters"), "it is found")
    client = bench.client()
    assert {client.get("/").version for _ in range(40)} == {"well"}


def test_a_connection_is_enough_of_a_check_where_no_path_is_given(bench: Bench) -> None:
    v1 = bench.backend("v1")
    bench.route(Routing(bench.web(tasks={"health": {"interval": "100ms"}}), "s", side("v1", v1.port), None))
    bench.healthy("web.stable")
    v1.healthy = False
    assert bench.status()[0] == 200


def test_tasks_may_be_given_by_name(bench: Bench) -> None:
    v1 = bench.backend("v1")
    named = Side("v1", (Endpoint("localhost", v1.port, "a"), Endpoint("no-such-host.invalid", 80, "b")))
    bench.route(Routing(bench.web(), "s", named, None))
    bench.until(lambda: bench.status() == (200, "v1"), "it is served")


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_tasks_and_ports_may_have_ipv6_addresses(bench: Bench) -> None:
    try:
        v1 = bench.backend("v1", host="::1")
    except OSError:
        pytest.skip("this machine has no ::1")
    service = bench.web(listener={"address": "::1"})
    bench.route(Routing(service, "s", Side("v1", (Endpoint("::1", v1.port, "a"),)), None))
    v1.fault = Fault("hang", seconds=0.5)
    with Client(bench.port, host="::1") as client:
        thread = threading.Thread(target=client.get)
        thread.start()
        bench.until(lambda: bench.stable().begun == 1, "one began")
        assert bench.stable().finished == 0
        thread.join()
    assert bench.stable().finished == 1


def test_a_port_that_somebody_else_has_is_refused(bench: Bench) -> None:
    other = bench.backend("other")
    with pytest.raises(Refused, match=f"Somebody else listens on 127.0.0.1 port {other.port}"):
        bench.router.check(a_service(port=other.port), [])


def test_a_port_that_our_envoy_has_is_no_obstacle(bench: Bench) -> None:
    v1 = bench.backend("v1")
    service = bench.web()
    bench.router.check(service, [])
    bench.route(Routing(service, "s", side("v1", v1.port), None))
    bench.router.check(service, [service])
    bench.router.check(a_service("other", port=bench.port, listener={"path": "/other"}), [service])
    bench.next_controller()
    bench.router.check(service, [])


def test_two_services_on_one_host_and_path_are_refused_however_it_is_spelled(bench: Bench) -> None:
    one = a_service("one", port=bench.port, listener={"host": "Shop.org", "path": "/api"})
    two = a_service("two", port=bench.port, listener={"host": "shop.org", "path": "/api/"})
    with pytest.raises(Refused, match=r"one and two|two and one"):
        bench.router.check(two, [one])


def test_what_envoy_would_reject_is_refused_before_it_is_written(bench: Bench, tmp_path: Path) -> None:
    service = a_service(port=free_port())
    broken = Service.model_construct(**{**dict(service), "stickiness": service.stickiness.model_copy(update={"header": "a b"})})
    with pytest.raises(Refused, match="Envoy rejects the configuration of web"):
        bench.router.check(broken, [])


@pytest.mark.parametrize("what", ["certificate", "key", "mismatch", "text", "password"])
def test_a_certificate_that_cannot_be_used_is_refused(bench: Bench, tmp_path: Path, what: str) -> None:
    one, other = a_certificate(tmp_path / "one", "one.org"), a_certificate(tmp_path / "other", "other.org")
    certificate, key = one / "cert.pem", one / "key.pem"
    match what:
        case "certificate":
            certificate = one / "missing.pem"
        case "key":
            key = one / "missing.pem"
        case "mismatch":
            key = other / "key.pem"
        case "text":
            certificate.write_text("hello")
        case "password":
            key = one / "locked.pem"
            secret = ["-aes256", "-passout", "pass:secret"]
            subprocess.run(
                ["openssl", "pkey", "-in", str(one / "key.pem"), "-out", str(key), *secret], check=True, capture_output=True
            )
    service = a_service(port=free_port(), listener={"tls": {"certificate": str(certificate), "key": str(key)}})
    with pytest.raises(Refused, match=r"certificate|key") as refused:
        bench.router.check(service, [])
    assert str(one) in refused.value.what
