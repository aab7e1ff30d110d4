"""OFREP on the control plane: the agent's answers, for clients without an agent."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.test_appconfigdata import FLAGS, NEW
from tests.api.test_flags import BEARER, PROD, release, rollout
from tests.support.served import House
from tidegate.core.exposure import bucket
from tidegate.core.rollout import Phase

ALL = f"{PROD}/ofrep/v1/evaluate/flags"


@pytest.fixture
def shop(house: House, own: TestClient) -> TestClient:
    release(house, own, FLAGS)
    return own


def test_one_flag_is_answered_as_by_the_agent(shop: TestClient) -> None:
    answered = shop.post(f"{ALL}/theme", json={"context": {"targetingKey": "ann", "plan": "pro"}})
    assert answered.json() == {
        "key": "theme",
        "value": "#000",
        "reason": "TARGETING_MATCH",
        "variant": "dark",
        "metadata": {"document": 1, "side": "baseline"},
    }
    assert answered.headers["Content-Type"] == "application/json"


def test_all_flags_come_with_an_etag_that_spares_the_next_answer(house: House, shop: TestClient) -> None:
    asked = {"context": {"targetingKey": "ann"}}
    first = shop.post(ALL, json=asked)
    assert {flag["key"]: flag["value"] for flag in first.json()["flags"]} == {
        "banner": "Summer sale",
        "checkout": False,
        "features": FLAGS["flags"]["features"]["value"],
        "search": {"engine": "classic"},
        "theme": "#fff",
    }
    assert first.json()["eventStreams"] == []
    etag = first.headers["ETag"]
    for seen in (etag, f'"other", {etag}', f"W/{etag}"):
        again = shop.post(ALL, json=asked, headers={"If-None-Match": seen})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert shop.post(ALL, json={"context": {"plan": "pro"}}, headers={"If-None-Match": etag}).status_code == 200
    shop.post(f"{PROD}/flags/checkout/on", json={"now": True})
    house.until(lambda: rollout(house).settled)
    assert shop.post(ALL, json=asked, headers={"If-None-Match": etag}).status_code == 200


def test_an_entity_is_on_the_side_of_its_bucket_at_every_step(house: House, shop: TestClient) -> None:
    shop.post(f"{PROD}/deploy", json={"content": NEW, "plan": "linear 50% every 10s"})
    for share in (5000, 10_000):
        house.until(lambda share=share: rollout(house).phase is Phase.WATCHING and rollout(house).wanted == share)  # type: ignore[misc]
        salt = house.store.environment("shop/prod").salt  # type: ignore[union-attr]
        for user in (f"user-{number}" for number in range(30)):
            answered = shop.post(f"{ALL}/checkout", json={"context": {"targetingKey": user}}).json()
            assert answered["value"] is (bucket(user, salt) < share)


def test_over_tcp_the_token_is_wanted(shop: TestClient, tcp: TestClient) -> None:
    for path in (ALL, f"{ALL}/checkout"):
        assert tcp.post(path, json={}).status_code == 401
        assert tcp.post(path, json={}, headers=BEARER).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "PARSE_ERROR"), (b"\xff", "PARSE_ERROR"), (b"[" * 100_000, "PARSE_ERROR"), (b'{"context": 1}', "INVALID_CONTEXT")],
)
def test_a_wrong_context_is_told_by_its_code(shop: TestClient, body: bytes, code: str) -> None:
    for path in (ALL, f"{ALL}/checkout"):
        answered = shop.post(path, content=body)
        assert (answered.status_code, answered.json()["errorCode"]) == (400, code)


@pytest.mark.parametrize(
    ("flag", "status"), [("none", 404), ("a/b", 404), ("%2e%2e", 404), ("ü" * 100, 404), ("x" * 3000, 422)]
)
def test_a_flag_that_is_not_there_is_told(shop: TestClient, flag: str, status: int) -> None:
    answered = shop.post(f"{ALL}/{flag}", json={})
    assert answered.status_code == status
    assert status != 404 or answered.json().get("errorCode") == "FLAG_NOT_FOUND" or flag == "%2e%2e"


def test_an_environment_without_flags_is_told_with_the_mend(house: House, shop: TestClient) -> None:
    answered = shop.post(f"{ALL.replace('prod', 'stage')}/checkout", json={})
    assert (answered.status_code, answered.json()["mend"]) == (404, "Known environments: shop/prod.")
    house.board.post("shop/prod", None)  # as with a controller that has just begun
    assert shop.post(ALL, json={}).status_code == 503


def test_what_is_compiled_is_kept_while_only_the_exposure_moves(house: House, shop: TestClient, app: Any) -> None:
    shop.post(f"{PROD}/deploy", json={"content": NEW, "plan": "linear 25% every 10s"})
    house.until(lambda: rollout(house).phase is Phase.WATCHING)
    view = app.state.in_force.of("shop", "prod").view
    assert app.state.in_force.of("shop", "prod").view is view
    house.until(lambda: rollout(house).phase is Phase.WATCHING and rollout(house).wanted == 5000)
    moved = app.state.in_force.of("shop", "prod").view
    assert (moved.staged.exposure, moved.staged.candidate is view.staged.candidate) == (5000, True)
