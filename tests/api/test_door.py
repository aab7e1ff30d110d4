"""Who may ask what: the API runs commands, so it is never simply open."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from tests.api.asking import deploy, sent
from tests.support.served import TOKEN, House
from tidegate.api.door import MOST_BODY, UID, Door, loopback_door, socket_door

GOOD = {"Authorization": f"Bearer {TOKEN}"}


def test_a_request_through_no_door_is_answered_with_nothing(app: ASGIApp) -> None:
    answer = TestClient(app).get("/v1/services")
    assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")
    assert TestClient(app).get("/v1/openapi.json").status_code == 403


def test_everybody_on_this_machine_may_read(tcp: TestClient) -> None:
    for path in ("/v1/services", "/v1/rollouts", "/v1/events", "/v1/alarms", "/v1/health", "/v1/openapi.json"):
        assert tcp.get(path).status_code == 200, path


def test_every_change_wants_the_token(tcp: TestClient, house: House) -> None:
    changes = [route for route in tcp.get("/v1/openapi.json").json()["paths"].items() for method in route[1] if method != "get"]
    assert len(changes) > 10
    for path, operations in changes:
        for method in operations:
            if method == "get" or path == "/v1/session":  # that takes a code
                continue
            answer = tcp.request(method, re.sub(r"{[^}]+}", "web", path), json={})
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert house.store.history() == []


def test_the_token_opens(tcp: TestClient, house: House) -> None:
    answer = tcp.post("/v1/services/web/deploy", json={"file": sent(), "version": "v1"}, headers=GOOD)
    assert answer.status_code == 200
    assert house.rollout().by == "token"


def test_who_has_the_token_may_say_who_he_is(tcp: TestClient, house: House) -> None:
    deployed = tcp.post(
        "/v1/services/web/deploy", json={"file": sent(), "version": "v1"}, headers={**GOOD, "X-Tidegate-User": "ann"}
    )
    assert deployed.json()["rollout"]["by"] == "ann (token)"


@pytest.mark.parametrize("header", ["Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ", TOKEN, "Bearer \xe9\xe9"])
def test_a_wrong_token_is_refused_also_for_reading(tcp: TestClient, header: str) -> None:
    answer = tcp.get("/v1/services", headers={"Authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.json()["detail"]) == (401, "The token is wrong.")


def test_without_a_token_of_its_own_it_trusts_nobody(app: ASGIApp) -> None:
    client = TestClient(loopback_door(app, ""), base_url="http://127.0.0.1:7400")
    assert client.get("/v1/services", headers={"Authorization": "Bearer "}).status_code == 401


def test_logs_may_hold_secrets_and_want_the_token(tcp: TestClient, house: House) -> None:
    house.run("v1")
    assert tcp.get("/v1/services/web/logs").status_code == 401
    assert tcp.get("/v1/services/web/logs", headers=GOOD).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:7400", "localhost:7400", "[::1]:7400", "localhost", "LOCALHOST:9000"])
def test_this_machine_is_known_by_its_names(tcp: TestClient, host: str) -> None:
    assert tcp.get("/v1/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example.org", "127.0.0.1.evil.example.org", "evil.example.org:7400", "", "127.0.0.1:x"])
def test_a_rebound_name_is_refused(tcp: TestClient, host: str) -> None:
    assert tcp.get("/v1/health", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example.org", "null", "http://localhost:7400", "http://127.0.0.1:9999"])
def test_a_page_from_elsewhere_is_refused_even_with_the_token(tcp: TestClient, origin: str) -> None:
    assert tcp.get("/v1/services", headers={**GOOD, "Origin": origin}).status_code == 403


def test_our_own_page_may_ask(tcp: TestClient) -> None:
    assert tcp.get("/v1/services", headers={"Origin": "http://127.0.0.1:7400"}).status_code == 200


def test_no_page_is_ever_told_that_it_may_read(tcp: TestClient) -> None:
    answer = tcp.get("/v1/services", headers={"Origin": "http://127.0.0.1:7400"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_end_is_not_asked_for_over_tcp(tcp: TestClient, own: TestClient, house: House) -> None:
    assert tcp.post("/v1/shutdown", headers=GOOD).status_code == 403
    assert house.ended_by == []
    assert own.post("/v1/shutdown").status_code == 202
    assert len(house.ended_by) == 1


def _as(app: ASGIApp, uid: int, header: str) -> TestClient:
    async def with_state(scope, receive, send):  # type: ignore[no-untyped-def]
        scope["state"] = {UID: uid}
        await door(scope, receive, send)

    door: Door = socket_door(app)
    return TestClient(with_state, base_url="http://tidegate", headers={"X-Tidegate-User": header})


def test_only_root_speaks_for_somebody_else(app: ASGIApp, house: House) -> None:
    assert deploy(_as(app, 0, "ann"), "v1").json()["rollout"]["by"] == "ann"
    house.run("v1")
    assert deploy(_as(app, 65534, "ann"), "v2").json()["rollout"]["by"] in ("nobody", "uid 65534")


def test_a_name_that_is_none_is_not_written_down(app: ASGIApp) -> None:
    assert deploy(_as(app, 0, "ann <script>"), "v1").json()["rollout"]["by"] == "root"


def test_an_oversized_body_is_refused_whether_its_length_is_told_or_not(own: TestClient) -> None:
    told = own.post("/v1/validate", content=b"x" * (MOST_BODY + 1))
    assert told.status_code == 413
    untold = own.post("/v1/validate", content=(b"x" * 65536 for _ in range(20)))
    assert (untold.status_code, untold.json()["mend"]) == (413, "Send less; a service file is small.")
