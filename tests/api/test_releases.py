"""Releases over the API: begun whole or not at all, and every odd request answered with its place and mend."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.asking import sent
from tests.support.served import House
from tidegate.core.rollout import Phase

OFF = {"application": "shop", "flags": {"checkout": "off"}}
ON = {"application": "shop", "flags": {"checkout": "on"}}
PROD = "/v1/applications/shop/environments/prod"


def begin(client: TestClient, **changes: Any) -> Any:
    content = {
        "release": "checkout",
        "plan": "linear 50% every 10s bake 10s",
        "services": [{"file": sent(), "version": "v2"}],
        "flags": [{"environment": "prod", "content": ON}],
        "reason": "the new checkout",
    }
    return client.post("/v1/releases", json={key: value for key, value in (content | changes).items() if value is not None})


@pytest.fixture
def running(own: TestClient, house: House) -> TestClient:
    house.run("v1")
    own.post(f"{PROD}/deploy", json={"content": OFF})
    house.until(lambda: house.rollout("shop/prod").phase is Phase.COMPLETED)
    house.tick(10)
    return own


def test_a_release_is_begun_listed_and_shown(running: TestClient) -> None:
    answer = begin(running).json()
    assert answer["release"] == "checkout-1"
    assert [rollout["service"] for rollout in answer["rollouts"]] == ["web", "shop/prod"]
    assert answer["sentences"] == [
        "web-2: v1 -> v2, linear 50% every 10s.",
        "shop-prod-2: 1 -> 2, linear 50% every 10s.",
    ]
    assert [one["release"] for one in running.get("/v1/releases").json()] == ["checkout-1"]
    shown = running.get("/v1/releases/checkout-1").json()
    assert (shown["phase"], shown["in_flight"], len(shown["rollouts"])) == ("preparing", True, 2)
    assert running.get("/v1/rollouts/web-2").json()["release"] == "checkout-1"


def test_the_number_of_a_release_grows(running: TestClient, house: House) -> None:
    begin(running)
    running.post("/v1/services/web/abort")
    house.until(lambda: not any(house.rollout(name).in_flight for name in ("web", "shop/prod")))
    house.tick(5)
    assert begin(running).json()["release"] == "checkout-2"


def test_everything_there_already_is_no_release(running: TestClient) -> None:
    answer = begin(running, services=None, flags=[{"environment": "prod", "content": OFF}]).json()
    assert (answer["release"], answer["rollouts"]) == ("", [])
    assert answer["sentences"] == ["shop/prod already runs 1: there is nothing to do."]


def test_what_one_part_refuses_begins_none(running: TestClient, house: House) -> None:
    broken = {"application": "shop", "flags": {"checkout": {"needs": "nobody", "when": "true"}}}
    answer = begin(running, flags=[{"environment": "prod", "content": broken}])
    assert answer.status_code == 422
    assert house.rollout("web").candidate == "v1"


def test_a_part_in_flight_is_a_conflict_and_begins_none(running: TestClient, house: House) -> None:
    running.post(f"{PROD}/deploy", json={"content": ON})
    answer = begin(running)
    assert answer.status_code == 409
    assert "rollout in flight" in answer.json()["detail"]
    assert house.rollout("web").candidate == "v1"


def test_a_stale_base_begins_none(running: TestClient, house: House) -> None:
    answer = begin(running, flags=[{"environment": "prod", "content": ON, "base": 7}])
    assert answer.status_code == 409
    assert house.rollout("web").candidate == "v1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"services": None, "flags": None}, "has no parts"),
        ({"services": [], "flags": []}, "has no parts"),
        ({"release": None}, "release"),
        ({"release": "No Name"}, "release"),
        ({"services": [{"file": sent()}]}, "version"),
        ({"services": [{"version": "v2"}]}, "file"),
        ({"services": {"file": sent()}}, "services"),
        ({"services": [{"file": sent(), "version": "v2"}] * 2}, "web is twice"),
        ({"flags": [{"environment": "prod"}]}, "content"),
        ({"flags": [{"environment": "prod", "content": None}]}, "content"),
        (
            {"flags": [{"environment": "prod", "content": ON}, {"environment": "stage", "content": ON}]},
            "more than one environment",
        ),
        ({"flags": [{"environment": "prod", "content": {"flags": {}}, "format": "flagd"}]}, "whose flags"),
        ({"flags": [{"environment": "prod", "content": ON}] * 21}, "20"),
        ({"plan": "linear 10% evry 1m"}, "plan"),
        ({"plans": "linear 10% every 1m"}, "plan"),
    ],
)
def test_an_odd_release_is_refused_with_a_mend_and_begins_nothing(
    running: TestClient, house: House, changes: dict[str, Any], said: str
) -> None:
    answer = begin(running, **changes)
    assert answer.status_code == 422, answer.json()
    assert said in str(answer.json())
    assert answer.json()["mend"]
    assert house.rollout("web").candidate == "v1"


def test_an_unknown_release_is_not_found_with_the_list_as_its_mend(running: TestClient) -> None:
    answer = running.get("/v1/releases/nothing-9")
    assert answer.status_code == 404
    assert answer.json()["mend"] == "List them: tidegate releases."


def test_a_completed_release_goes_back_together_over_either_route(running: TestClient, house: House) -> None:
    begin(running)
    house.until(lambda: all(house.rollout(name).phase is Phase.COMPLETED for name in ("web", "shop/prod")))
    house.tick(10)
    answer = running.post(f"{PROD}/rollback", json={"reason": "nobody likes it"}).json()
    assert answer["sentence"].endswith("With it goes back what was released with it: web.")
    house.until(lambda: house.orders.record("web").stable == "v1")
    assert house.orders.record("shop/prod").stable == "1"


def test_one_part_goes_back_alone_when_that_is_said(running: TestClient, house: House) -> None:
    begin(running)
    house.until(lambda: all(house.rollout(name).phase is Phase.COMPLETED for name in ("web", "shop/prod")))
    house.tick(10)
    running.post(f"{PROD}/rollback", json={"alone": True})
    house.tick(20)
    assert (house.orders.record("web").stable, house.orders.record("shop/prod").stable) == ("v2", "1")


def test_a_release_says_how_many_clients_go_by_no_user(running: TestClient) -> None:
    asked = {"ApplicationIdentifier": "shop", "EnvironmentIdentifier": "prod", "ConfigurationProfileIdentifier": "flags"}
    token = running.post("/configurationsessions", json=asked).json()["InitialConfigurationToken"]
    running.get("/configuration", params={"configuration_token": token})
    assert begin(running).json()["sentences"][-1] == (
        "1 session of AppConfigData reads the flags of shop/prod: it knows no users and is outside this release."
    )
