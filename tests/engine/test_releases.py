"""Releases end to end, in memory and in pretended time: a version and the flags that need it, for the same users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_flags import OFF, ON
from tests.support.flag_agents import SUBJECT, PretendedAgent
from tests.support.house import USERS, World, service_file
from tidegate.core.environment import Environment
from tidegate.core.errors import Conflict, Refused
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.plan import PlanFile
from tidegate.core.rollout import Phase, Rollout
from tidegate.core.verdict import Judgement
from tidegate.engine.flag_orders import Manner
from tidegate.engine.releases import FlagsPart, Released, VersionPart

THEME = read_flags({"application": "shop", "flags": {"checkout": "off", "theme": "dark"}})
PLAN = PlanFile.model_validate({"linear": {"step": "25%", "every": "5s"}, "bake": "5s", "keep_baseline": "30s"})
ALARM = {"name": "errors", "metric": "error_rate", "above": "5%", "period": "2s", "missing": "not_breaching"}
NOBODY: Callable[[object], bool] = lambda _: False  # noqa: E731


class Shop:
    """A service and its flags, both in force; the same users ask the router and then an agent, once a second."""

    def __init__(self, tmp_path: Path, *services: str) -> None:
        self.world = World(tmp_path)
        self.services = services or ("web",)
        self.agents = [PretendedAgent(f"agent-{number}") for number in range(2)]
        self.world.flag_orders.configure(
            Environment.model_validate({"application": "shop", "environment": "prod", "alarms": [ALARM], "compare": "off"}),
            "ann",
        )
        for number, name in enumerate(self.services):
            self.world.orders.deploy(self.file(name, number), "v1", "ann")
        self.world.flag_orders.deploy("shop", "prod", OFF, Manner("ann"))
        self.run(30)
        assert {self.stable(name) for name in self.subjects} == {"v1", "1"}

    @property
    def subjects(self) -> tuple[str, ...]:
        return (*self.services, SUBJECT)

    def file(self, name: str, number: int = 0) -> Any:
        return service_file(service=name, listener={"port": 8080 + number})

    def release(
        self, plan: PlanFile = PLAN, *, services: Sequence[str] | None = None, document: Any = ON, name: str = "checkout"
    ) -> Released:
        names = self.services if services is None else services
        versions = [VersionPart(self.file(name, self.services.index(name)), "v2") for name in names]
        flags = [FlagsPart("prod", document)] if document else []
        return self.world.releases.begin(name, versions, flags, plan=plan, by="ann")

    def run(
        self, seconds: int = 1, *, flag_fails: Callable[[object], bool] = NOBODY, fails: Sequence[str] = (), look: bool = True
    ) -> None:
        for _ in range(seconds):
            for agent in self.agents:
                agent.fetch(self.world)
            for agent in self.agents:
                agent.serve(USERS, flag_fails)
                agent.report(self.world)
            for name in self.services:
                if self.world.lever.reading is not None and name in self.world.lever.reading.services:
                    self.world.router.serve(name, USERS, fails=fails)
            self.world.tick()

    def until(self, holds: Callable[[], bool], within: int = 200, **how: Any) -> None:
        for _ in range(within):
            if holds():
                return
            self.run(1, **how)
        raise AssertionError([str(self.rollout(name).decision) for name in self.subjects])

    def rollout(self, name: str) -> Rollout:
        return self.world.store.history(name, 1)[0].rollout

    def rollouts(self) -> list[Rollout]:
        return [self.rollout(name) for name in self.subjects]

    def phases(self) -> set[Phase]:
        return {rollout.phase for rollout in self.rollouts()}

    def stable(self, name: str) -> str:
        return self.world.orders.record(name).stable

    def got(self) -> dict[str, tuple[bool, bool]]:
        """Of each user: whether every service gives him its new version, and whether the flag is on for him."""
        applied = {name: self.world.router.applied(name) for name in self.services}
        agent = self.agents[0]
        agent.fetch(self.world)
        flags = agent.serve(USERS, NOBODY)
        return {
            user: (all(side_of(applied[name], user) == "v2" for name in self.services), bool(flags[user])) for user in USERS
        }


def side_of(applied: Any, user: str) -> str:
    from tidegate.core.exposure import bucket

    exposed = bool(applied.slot) and applied.exposure.covers(bucket(user, applied.salt))
    return applied.slot if exposed else applied.stable


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_user_gets_the_version_and_its_flag_or_neither(shop: Shop) -> None:
    shop.release()
    together = set()
    while shop.phases() != {Phase.COMPLETED}:
        shop.run()
        got = shop.got()
        assert not any(flag and not version for version, flag in got.values())  # never a feature that the version does not know
        if len({(rollout.phase, rollout.wanted) for rollout in shop.rollouts()}) == 1 and shop.phases() == {Phase.WATCHING}:
            assert all(version == flag for version, flag in got.values())
            together.add(sum(flag for _, flag in got.values()))
    assert len(together) == 4
    assert {shop.stable("web"), shop.stable(SUBJECT)} == {"v2", "2"}
    shop.run(20)
    assert set(shop.got().values()) == {(True, True)}


def test_all_parts_have_one_salt_one_plan_and_one_name(shop: Shop) -> None:
    done = shop.release()
    assert done.release == "checkout-1"
    assert len({(one.salt, one.plan.said, one.release) for one in shop.rollouts()}) == 1
    assert shop.world.store.releases() == ["checkout-1"]


def test_releases_of_a_name_are_counted_and_those_of_longer_names_are_others(shop: Shop) -> None:
    ids = []
    for name in ("checkout", "checkout-eu", "checkout", "checkout", "check"):
        ids.append(shop.release(name=name).release)
        shop.world.orders.abort("web", "ann")
        shop.until(lambda: shop.phases() == {Phase.ROLLED_BACK})
    assert ids == ["checkout-1", "checkout-eu-1", "checkout-2", "checkout-3", "check-1"]
    assert [held.rollout.subject for held in shop.world.store.parts("checkout-1")] == [SUBJECT, "web"]


def test_nobody_goes_on_before_all_parts_were_watched(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "web", "api")
    shop.release()
    while shop.phases() != {Phase.COMPLETED}:
        before = {one.id: one.place for one in shop.rollouts()}
        shop.run()
        places = [one.place for one in shop.rollouts()]
        assert max(places) - min(places) <= 1
        for one in shop.rollouts():
            if one.place > before[one.id]:
                assert one.place - before[one.id] == 1


def test_all_parts_complete_at_the_same_look(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "web", "api")
    shop.release()
    shop.until(lambda: Phase.COMPLETED in shop.phases())
    assert shop.phases() == {Phase.COMPLETED}


def test_an_alarm_of_the_flags_takes_the_version_back_at_the_same_look(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.WATCHING})
    shop.until(lambda: shop.rollout(SUBJECT).goes_back, flag_fails=bool)
    assert all(one.goes_back for one in shop.rollouts())
    assert shop.rollout("web").reason == f"together with {SUBJECT}: {shop.rollout(SUBJECT).reason}"
    shop.run(2)
    assert set(shop.got().values()) == {(False, False)}
    shop.until(lambda: shop.phases() == {Phase.ROLLED_BACK})


def test_an_alarm_of_the_version_takes_the_flags_back_at_the_same_look(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.WATCHING})
    shop.until(lambda: shop.rollout("web").goes_back, fails=["v2"])
    assert all(one.goes_back for one in shop.rollouts())
    assert shop.rollout(SUBJECT).reason.startswith("together with web: ")


def test_a_candidate_that_never_becomes_healthy_ends_the_release_before_anybody_saw_it(shop: Shop) -> None:
    shop.world.tasks.broken["web", "v2"] = "no such table"
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.ROLLED_BACK})
    assert "did not become healthy" in shop.rollout("web").reason
    assert {held.harm.counted.requests for held in shop.world.store.parts("checkout-1")} == {0}


def test_an_abort_of_one_part_is_an_abort_of_all(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.WATCHING})
    shop.world.orders.abort("web", "bob", "I do not like it")
    assert {one.phase for one in shop.rollouts()} == {Phase.ROLLING_BACK}
    shop.until(lambda: shop.phases() == {Phase.ROLLED_BACK})


def test_a_pause_of_one_part_is_a_pause_of_all(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.WATCHING})
    shop.world.orders.pause(SUBJECT, "bob")
    shares = {one.wanted for one in shop.rollouts()}
    shop.run(30)
    assert {one.wanted for one in shop.rollouts()} == shares
    assert all(one.paused for one in shop.rollouts())
    shop.world.orders.resume("web", "bob")
    shop.until(lambda: shop.phases() == {Phase.COMPLETED})


def test_promote_moves_the_whole_release_one_step_and_twice_is_once(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.WATCHING})
    shop.world.orders.promote(SUBJECT, "bob")
    with pytest.raises(Refused, match="not at step 2 of 4 yet"):
        shop.world.orders.promote(SUBJECT, "bob")
    shop.run(6)
    assert {one.step for one in shop.rollouts()} == {1}


def test_promote_full_and_once_more_completes_all_parts(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.WATCHING})
    shop.world.orders.promote("web", "bob", full=True)
    shop.until(lambda: {one.place for one in shop.rollouts()} == {3} and shop.phases() == {Phase.WATCHING}, within=6)
    shop.world.orders.promote("web", "bob")
    assert shop.phases() == {Phase.COMPLETED}


def test_the_gate_of_the_plan_is_asked_once(shop: Shop) -> None:
    plan = PlanFile.model_validate(
        {"steps": [{"exposure": "10%", "hold": "2s", "gate": "Ann says yes"}, {"exposure": "100%"}], "bake": "5s"}
    )
    shop.release(plan)
    shop.run(20)
    assert [one.waiting for one in shop.rollouts()] == ["Ann says yes", ""]
    shop.world.orders.promote(SUBJECT, "ann")
    shop.until(lambda: shop.phases() == {Phase.COMPLETED})


def test_a_completed_release_goes_back_together(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.COMPLETED})
    shop.run(5)
    done = shop.world.releases.rollback("web", "bob")
    assert "With it goes back what was released with it: shop/prod." in done.sentence
    shop.until(lambda: {shop.stable("web"), shop.stable(SUBJECT)} == {"v1", "1"}, within=20)


def test_one_part_of_a_completed_release_goes_back_alone_when_that_is_said(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.COMPLETED})
    shop.run(5)
    shop.world.releases.rollback(SUBJECT, "bob", alone=True)
    shop.run(10)
    assert {shop.stable("web"), shop.stable(SUBJECT)} == {"v2", "1"}


def test_what_was_changed_since_the_release_is_left_alone(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.COMPLETED})
    shop.run(5)
    shop.world.flag_orders.deploy("shop", "prod", OFF, Manner("ann", now=True))
    shop.run(10)
    shop.world.releases.rollback("web", "bob")
    shop.until(lambda: shop.stable("web") == "v1", within=20)
    assert shop.stable(SUBJECT) == "1"


def test_a_release_is_begun_whole_or_not_at_all(shop: Shop) -> None:
    shop.world.flag_orders.deploy("shop", "prod", ON, Manner("ann", plan=PLAN))
    with pytest.raises(Conflict, match="rollout in flight"):
        shop.release()
    assert shop.rollout("web").candidate == "v1"
    assert shop.world.store.releases() == []


def test_a_part_that_is_there_already_is_left_out(shop: Shop) -> None:
    done = shop.release(document=OFF)
    assert [part.rollout.subject for part in done.parts if part.rollout] == ["web"]
    shop.until(lambda: shop.stable("web") == "v2")


def test_where_everything_is_there_already_there_is_no_release(shop: Shop) -> None:
    done = shop.release(services=(), document=OFF)
    assert done.release == ""
    assert "there is nothing to do" in done.sentences[0]


def test_first_flags_beside_a_version_that_only_some_have_are_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.serving("v1")
    with pytest.raises(Refused, match="shop/prod has no flags in force yet"):
        world.releases.begin("checkout", [VersionPart(service_file(), "v2")], [FlagsPart("prod", ON)], plan=PLAN, by="ann")


def test_a_first_release_of_everything_begins_everything(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.releases.begin("shop", [VersionPart(service_file(), "v1")], [FlagsPart("prod", ON)], plan=PLAN, by="ann")
    for _ in range(20):
        world.tick()
    assert world.orders.record("web").stable == "v1"
    assert world.orders.record(SUBJECT).stable == "1"


def test_a_new_controller_goes_on_with_a_release(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.WATCHING})
    shop.world.start_controller()
    shop.until(lambda: shop.phases() == {Phase.COMPLETED})
    assert {shop.stable("web"), shop.stable(SUBJECT)} == {"v2", "2"}


def test_the_verdict_of_each_part_is_its_own(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.WATCHING})
    shop.until(lambda: shop.rollout("web").goes_back, fails=["v2"])
    kinds = {
        event.told.subject: event.told.facts["verdict"] for event in shop.world.store.events() if event.told.kind == "roll_back"
    }
    assert kinds["web"] == Judgement.BAD.value
    assert kinds[SUBJECT] != Judgement.BAD.value


def test_the_kill_switch_of_the_flags_takes_the_version_back_with_the_flags_that_it_ends(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.WATCHING})
    shop.world.flag_orders.deploy("shop", "prod", THEME, Manner("bob", now=True))
    shop.run()
    assert shop.rollout("web").goes_back
    assert shop.rollout("web").reason.startswith(f"together with {SUBJECT}: dropped for 3")
    shop.until(lambda: shop.rollout("web").phase is Phase.ROLLED_BACK and shop.stable(SUBJECT) == "3", within=20)


def test_a_new_controller_that_finds_a_part_dropped_takes_the_others_back(shop: Shop) -> None:
    shop.release()
    shop.until(lambda: shop.phases() == {Phase.WATCHING})
    shop.world.flag_orders.deploy("shop", "prod", THEME, Manner("bob", now=True))
    shop.world.start_controller()
    shop.until(lambda: shop.rollout("web").phase is Phase.ROLLED_BACK, within=20)
