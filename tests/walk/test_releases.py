"""A release with real parts: Envoy sends users to a version, agents say what its flags are; each user gets both or neither."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from tests.support.walk import Tidegate, until
from tidegate.agent.agent import Agent

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

PROD = "/applications/shop/environments/prod"
USERS = [f"user-{number}" for number in range(400)]
OFF = {"application": "shop", "flags": {"checkout": "off"}}
ON = {"application": "shop", "flags": {"checkout": "on"}}
PLAN = {
    "steps": [{"exposure": share, "hold": "1s", "gate": f"{share} was looked at"} for share in ("20%", "60%")]
    + [{"exposure": "100%"}],
    "bake": "500ms",
    "keep_baseline": "1s",
    "deadline": "5m",
}


@pytest.fixture
def tidegate() -> Iterator[Tidegate]:
    with Tidegate() as running:
        running.serve("web")
        running.settled(running.ask("POST", f"{PROD}/deploy", content=OFF)["rollout"]["id"])
        yield running


@pytest.fixture
def agents(tidegate: Tidegate) -> Iterator[list[Agent]]:
    with ExitStack() as stack:
        agents = [stack.enter_context(Agent("shop", "prod", control=str(tidegate.home / "api.sock"))) for _ in range(3)]
        assert all(agent.wait(10) for agent in agents)
        yield agents


def versions(port: int) -> Mapping[str, str]:
    """What each user gets from Envoy."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with suppress(OSError):
        connection.connect()
    got = {}
    for user in USERS:
        connection.request("GET", "/", headers={"x-user-id": user})
        answer = connection.getresponse()
        answer.read()
        got[user] = str(answer.headers["x-version"])
    connection.close()
    return got


def parts(tidegate: Tidegate, release: str) -> list[dict[str, Any]]:
    return list(tidegate.ask("GET", f"/releases/{release}")["rollouts"])


def waits_at(tidegate: Tidegate, release: str, share: str) -> bool:
    seen = parts(tidegate, release)
    return {part["applied"] for part in seen} == {share} and any(part["waiting"] for part in seen)


def begin(tidegate: Tidegate, **service: Any) -> str:
    tidegate.write(tidegate.file("web", **service), "web.yaml")
    tidegate.write(ON, "flags.yaml")
    release = {
        "release": "checkout",
        "plan": PLAN,
        "services": [{"file": "web.yaml", "version": "v2"}],
        "flags": [{"file": "flags.yaml", "environment": "prod"}],
    }
    done = tidegate.tidegate("release", "-f", tidegate.write(release, "release.yaml"), "--detach", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads(done.stdout)["release"])


def test_every_user_gets_the_version_and_its_flag_or_neither_at_every_step(tidegate: Tidegate, agents: list[Agent]) -> None:
    release = begin(tidegate)
    port, exposed = tidegate.ports["web"], set[str]()
    for share in ("20%", "60%"):
        until(lambda share=share: waits_at(tidegate, release, share), 60, share, tidegate.words)  # type: ignore[misc]
        got = versions(port)
        for agent in agents:
            for user in USERS:
                is_on = bool(agent.evaluate("checkout", {"targetingKey": user}).value)
                assert is_on == (got[user] == "v2"), f"{user} has {got[user]} and the flag {is_on}"
        now = {user for user in USERS if got[user] == "v2"}
        assert exposed < now, "who had it keeps it"
        exposed = now
        tidegate.ask("POST", f"{PROD}/promote")
    for part in parts(tidegate, release):
        assert tidegate.settled(part["id"])["phase"] == "completed"
    assert set(versions(port).values()) == {"v2"}


def test_a_bad_version_takes_its_flags_back_with_it(tidegate: Tidegate, agents: list[Agent]) -> None:
    release = begin(tidegate)
    until(lambda: waits_at(tidegate, release, "20%"), 60, "20%", tidegate.words)
    tidegate.ask("POST", "/services/web/abort", reason="it looks odd")
    ended = [tidegate.settled(part["id"]) for part in parts(tidegate, release)]
    assert [part["phase"] for part in ended] == ["rolled_back", "rolled_back"]
    assert set(versions(tidegate.ports["web"]).values()) == {"v1"}
    until(
        lambda: not any(agent.evaluate("checkout", {"targetingKey": user}).value for agent in agents for user in USERS),
        10,
        "off",
    )


def test_a_release_goes_on_after_the_controller_was_killed_and_comes_back_as_one(
    tidegate: Tidegate, agents: list[Agent]
) -> None:
    release = begin(tidegate)
    until(lambda: waits_at(tidegate, release, "20%"), 60, "20%", tidegate.words)
    tidegate.back("controller", tidegate.kill("controller"))
    tidegate.answers()
    until(lambda: waits_at(tidegate, release, "20%"), 60, "20% again", tidegate.words)
    tidegate.ask("POST", "/services/web/promote", full=True)
    for part in parts(tidegate, release):
        assert tidegate.settled(part["id"])["phase"] == "completed"
    done = tidegate.tidegate("rollback", "web", "--reason", "nobody likes it")
    assert done.returncode == 0, done.stderr
    assert "With it goes back what was released with it: shop/prod." in done.stdout
    until(lambda: set(versions(tidegate.ports["web"]).values()) == {"v1"}, 60, "v1 serves", tidegate.words)
    until(
        lambda: not any(agent.evaluate("checkout", {"targetingKey": user}).value for agent in agents for user in USERS),
        10,
        "off",
    )
