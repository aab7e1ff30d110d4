"""Flags from the deploy to the last agent: a real controller that is killed on the way, real agents, 100,000 entities."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.walk import Tidegate, until
from tidegate.agent.agent import Agent
from tidegate.core.flags.snapshot import Snapshot

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

PROD = "/applications/shop/environments/prod"
ENTITIES = [{"targetingKey": f"user-{number}"} for number in range(100_000)]
OFF = {"application": "shop", "flags": {"checkout": "off"}}
ON = {"application": "shop", "flags": {"checkout": "on"}}
STAGED = {"linear": {"step": "25%", "every": "2s"}, "bake": "1s", "deadline": "5m"}


@pytest.fixture
def tidegate() -> Iterator[Tidegate]:
    with Tidegate() as running:
        yield running


def exposed(snapshot: Snapshot) -> frozenset[int]:
    """Who gets the flag, of all entities."""
    staged = snapshot.staged()
    return frozenset(place for place, context in enumerate(ENTITIES) if staged.evaluate("checkout", context).value)


def deploy(tidegate: Tidegate, content: object, **more: object) -> str:
    return str(tidegate.ask("POST", f"{PROD}/deploy", content=content, **more)["rollout"]["id"])


def test_each_entity_moves_once_and_all_agents_agree_though_the_controller_is_killed(tidegate: Tidegate) -> None:
    tidegate.settled(deploy(tidegate, OFF))
    with ExitStack() as stack:
        agents = [Agent("shop", "prod", control=str(tidegate.home / "api.sock")) for _ in range(3)]
        seen: list[dict[int, Snapshot]] = [{} for _ in agents]
        for agent, mine in zip(agents, seen, strict=True):
            stack.enter_context(agent)
            assert agent.wait(10)

            def note(*_: object, agent: Agent = agent, mine: dict[int, Snapshot] = mine) -> None:
                if agent.view is not None:
                    mine[agent.view.snapshot.serial] = agent.view.snapshot

            stack.enter_context(agent.listen(note))
            note()
        id_ = deploy(tidegate, ON, plan=STAGED)
        for share in ("25%", "75%"):
            until(lambda share=share: (tidegate.seen(id_) or {}).get("applied") == share, 60, share, tidegate.words)  # type: ignore[misc]
            tidegate.back("controller", tidegate.kill("controller"))
            tidegate.answers()
        assert tidegate.settled(id_, within=120)["phase"] == "completed"
        until(lambda: all(agent.view and agent.view.snapshot.baseline.number == 2 for agent in agents), 10, "all have it")
    whom = {serial: exposed(snapshot) for mine in seen for serial, snapshot in mine.items()}
    shares = set()
    for mine in seen:
        before: frozenset[int] = frozenset()
        for serial in sorted(mine):
            assert before <= whom[serial], "somebody moved back"
            before = whom[serial]
            shares.add(round(len(before) / len(ENTITIES), 2))
        assert len(before) == len(ENTITIES)
    assert {0.0, 0.25, 0.5, 0.75, 1.0} <= shares
    for serial in whom:  # the same serial is the same to whoever saw it
        texts = {(mine[serial].salt, mine[serial].exposure, mine[serial].rollout) for mine in seen if serial in mine}
        assert len(texts) == 1


def test_the_kill_switch_reaches_every_agent_within_a_second(tidegate: Tidegate) -> None:
    tidegate.settled(deploy(tidegate, ON))
    with ExitStack() as stack:
        agents = [stack.enter_context(Agent("shop", "prod", control=str(tidegate.home / "api.sock"))) for _ in range(3)]
        assert all(agent.wait(10) for agent in agents)
        deploy(tidegate, {**ON, "flags": {"checkout": "on", "theme": "dark"}}, plan=STAGED)
        until(lambda: all(agent.view and agent.view.snapshot.exposure for agent in agents), 60, "somebody is exposed")
        began = time.monotonic()
        tidegate.ask("POST", f"{PROD}/flags/checkout/off", now=True)
        until(lambda: not any(agent.evaluate("checkout", ENTITIES[0]).value for agent in agents), 10, "off", step=0.005)
        assert time.monotonic() - began < 1.0


def test_a_change_goes_back_by_an_alarm_on_what_is_pushed_for_its_environment(tidegate: Tidegate) -> None:
    tidegate.settled(deploy(tidegate, OFF))
    alarm = {"name": "sales", "metric": "pushed:sales", "statistic": "maximum", "below": 3, "period": "1s", "missing": "ignore"}

    def sold(value: float) -> None:
        tidegate.ask("POST", "/metrics/sales", value=value, environment="shop/prod")

    sold(9)  # before that nobody knows such a metric
    tidegate.ask("PUT", PROD, application="shop", environment="prod", alarms=[alarm], compare="off")

    def seen() -> bool:
        sold(9)
        return bool(tidegate.ask("GET", PROD)["alarms"][0]["state"] == "ok")

    until(seen, 30, "sales are seen", step=0.2)
    id_ = deploy(tidegate, ON, plan="linear 50% every 5m")
    tidegate.phase(id_, "watching")

    def back() -> bool:
        sold(1)
        return bool(tidegate.rollout(id_)["phase"] == "rolled_back")

    until(back, 60, "it goes back", lambda: tidegate.rollout(id_), step=0.2)
    assert "sales" in tidegate.rollout(id_)["reason"]
    assert tidegate.ask("GET", f"{PROD}/flags")["number"] == 1
