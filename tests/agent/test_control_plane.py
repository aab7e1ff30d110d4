"""The agent and the real control plane: what one says, the other understands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.control_plane import until
from tests.support.served import House, build_house
from tidegate.agent import Agent
from tidegate.core.exposure import bucket
from tidegate.core.rollout import Phase

pytestmark = pytest.mark.real

PROD = "http://tidegate/v1/applications/shop/environments/prod"
OLD = {"application": "shop", "flags": {"checkout": "off"}}
NEW = {"application": "shop", "flags": {"checkout": "on"}}
USERS = [f"user-{number}" for number in range(300)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = build_house(tmp_path)
    yield house
    house.store.close()


@pytest.fixture
def own(house: House) -> Iterator[httpx2.Client]:
    """Asks it through its socket."""
    serving = house.serve()
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(serving.socket)), trust_env=False, timeout=20) as client:
        yield client
    serving.stop()


def rollout(house: House) -> Any:
    return house.store.history("shop/prod", 1)[0].rollout


def ticked(house: House, done: Any) -> None:
    """Ticks the house until this is so, twice as fast as the clock: real agents follow it and report once a second."""
    began, told = time.monotonic(), house.now

    def one() -> bool:
        due = told + timedelta(seconds=2 * (time.monotonic() - began))
        if due - house.now >= timedelta(milliseconds=100):
            house.tick(every=due - house.now)
        return bool(done())

    until(one, 30)


def test_an_agent_follows_a_rollout_to_its_end_and_its_reports_are_understood(house: House, own: httpx2.Client) -> None:
    with Agent("shop", "prod", control=str(house.home / "api.sock")) as agent:
        until(lambda: "no flags" in agent.standing.problem)
        assert own.post(f"{PROD}/deploy", json={"content": OLD}).status_code == 200
        ticked(house, lambda: agent.standing.ready and rollout(house).phase is Phase.COMPLETED)
        assert agent.evaluate("checkout").value is False
        until(lambda: [one["age"] is not None for one in own.get(PROD).json()["agents"]] == [True])

        plan = {"linear": {"step": "25%", "every": "2s"}, "bake": "1s"}
        answered = own.post(f"{PROD}/deploy", json={"content": NEW, "plan": plan})
        assert answered.status_code == 200, answered.text
        seen: set[int] = set()
        moved: set[str] = set()

        def look() -> bool:
            view = agent.view
            assert view is not None
            seen.add(int(view.snapshot.exposure))
            if view.snapshot.candidate is not None:
                on = {user for user in USERS if view.staged.evaluate("checkout", {"targetingKey": user}).value}
                assert on == {user for user in USERS if bucket(user, view.snapshot.salt) < view.snapshot.exposure}
                assert on >= moved
                moved.update(on)
            return rollout(house).phase is Phase.COMPLETED and agent.evaluate("checkout").number == 2

        ticked(house, look)
        assert {2500, 5000, 7500} <= seen
        assert agent.standing.problem == ""


def test_an_agent_of_a_removed_environment_keeps_its_flags_and_says_that_nobody_confirms_them(
    house: House, own: httpx2.Client
) -> None:
    assert own.post(f"{PROD}/deploy", json={"content": NEW}).status_code == 200
    with Agent("shop", "prod", control=str(house.home / "api.sock"), stale_after=0.5) as agent:
        ticked(house, lambda: agent.standing.connected and rollout(house).phase is Phase.COMPLETED)
        answered = own.request("DELETE", PROD, json={"reason": "moved"})
        assert "is removed" in answered.json()["sentence"], answered.text
        # The loop takes it off the board; no sign of life calls the flags the newest after that.
        ticked(house, lambda: "knows no flags" in agent.standing.problem and (agent.standing.age or 0) > 0.5)
        assert not agent.standing.connected
        assert agent.evaluate("checkout").value is True
        assert own.get(PROD).status_code == own.request("DELETE", PROD, json={}).status_code == 404
        # It is one and the same for the agent when there is such an environment again, though serials begin at 1.
        assert own.post(f"{PROD}/deploy", json={"content": OLD}).status_code == 200
        ticked(house, lambda: agent.standing.connected and agent.evaluate("checkout").value is False)


def test_an_environment_with_a_rollout_in_flight_is_not_removed(house: House, own: httpx2.Client) -> None:
    assert own.post(f"{PROD}/deploy", json={"content": OLD}).status_code == 200
    house.until(lambda: rollout(house).settled)
    assert own.post(f"{PROD}/deploy", json={"content": NEW, "plan": "linear 10% every 1h"}).status_code == 200
    answered = own.request("DELETE", PROD, json={})
    assert (answered.status_code, "tidegate abort shop/prod" in answered.json()["mend"]) == (409, True)
