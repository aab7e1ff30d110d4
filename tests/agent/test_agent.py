"""The agent beside a control plane that serves, changes, dies and lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.conftest import Started
from tests.support.control_plane import NEW, ControlPlane, moving, plain, until
from tidegate.agent import Agent, News
from tidegate.core.errors import Invalid
from tidegate.core.exposure import bucket
from tidegate.core.flags.snapshot import encode_snapshot

EVERYBODY = [f"user-{number}" for number in range(500)]


def exposed(agent: Agent) -> set[str]:
    return {user for user in EVERYBODY if agent.evaluate("checkout", {"targetingKey": user}).value is True}


def test_before_the_first_snapshot_it_says_so_and_the_default_counts() -> None:
    result = Agent("shop", "prod", control="/nowhere").evaluate("checkout", {})
    assert (result.error, result.value) == ("PROVIDER_NOT_READY", None)


def test_it_answers_as_soon_as_it_has_a_snapshot(started: Started) -> None:
    agent = started()
    assert agent.wait(5)
    assert agent.evaluate("banner").value == "Summer sale"
    assert agent.evaluate("theme", {"plan": "pro", "age": "20"}).variant == "dark"
    assert agent.standing.serial == 1


def test_it_works_through_a_unix_socket(tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "api.sock") as plane:
        plane.show(plain())
        with Agent("shop", "prod", control=plane.address) as agent:
            assert agent.wait(5)
            until(lambda: agent.standing.connected)


def test_the_token_is_shown(plane: ControlPlane, started: Started) -> None:
    plane.streams = False
    assert started(token="secret").wait(5)
    assert plane.tokens == {"Bearer secret"}


def test_a_change_is_seen_at_once_and_nobody_else_moves(plane: ControlPlane, started: Started) -> None:
    agent = started()
    until(lambda: agent.standing.connected)
    plane.show(moving(2, 1000))
    until(lambda: agent.standing.serial == 2)
    assert exposed(agent) == {user for user in EVERYBODY if bucket(user, "salt") < 1000}
    plane.move(5000)
    until(lambda: agent.standing.serial == 3)
    assert exposed(agent) == {user for user in EVERYBODY if bucket(user, "salt") < 5000}
    plane.move(0)
    until(lambda: agent.standing.serial == 4)
    assert exposed(agent) == set()


def test_where_streams_do_not_get_through_it_polls(plane: ControlPlane, started: Started) -> None:
    plane.streams = False
    agent = started()
    assert agent.wait(5)
    plane.show(plain(2, 4, NEW))
    until(lambda: agent.evaluate("checkout").value is True)
    assert not agent.standing.connected


def test_it_never_goes_back_to_an_older_snapshot(plane: ControlPlane, started: Started) -> None:
    agent = started()
    until(lambda: agent.standing.connected)
    plane.show(plain(5, 4, NEW))
    until(lambda: agent.standing.serial == 5)
    plane.show(plain(4, 3))
    until(lambda: "older" in agent.standing.problem)
    assert (agent.standing.serial, agent.evaluate("checkout").value) == (5, True)


def test_another_origin_begins_anew(plane: ControlPlane, started: Started) -> None:
    agent = started()
    until(lambda: agent.standing.connected)
    plane.show(plain(9, 9))
    until(lambda: agent.standing.serial == 9)
    plane.show(plain(1, 1, NEW, origin="db-2"))
    until(lambda: agent.standing.origin == "db-2")
    assert agent.evaluate("checkout").value is True


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("Summer", "Winter"),
        lambda text: text[:-200],
        lambda text: "",
        lambda text: "<html>Sign in</html>",
        lambda text: text.replace('"serial":2', '"serial":9'),
    ],
)
def test_a_damaged_snapshot_is_told_and_never_believed(plane: ControlPlane, started: Started, damage: object) -> None:
    agent = started()
    until(lambda: agent.standing.connected)
    plane.say(damage(encode_snapshot(plain(2, 4, NEW))) or " ", 2)  # type: ignore[operator]
    until(lambda: agent.standing.problem != "")
    assert (agent.standing.serial, agent.evaluate("checkout").value, agent.evaluate("banner").value) == (
        1,
        False,
        "Summer sale",
    )
    plane.show(plain(3, 5, NEW))
    until(lambda: agent.evaluate("checkout").value is True)


def test_a_snapshot_of_another_environment_is_refused(plane: ControlPlane, started: Started) -> None:
    agent = started()
    until(lambda: agent.standing.connected)
    other = plain(7, 7, NEW)
    plane.say(encode_snapshot(type(other)("shop", "test", 7, "db-1", other.baseline)), 7)
    until(lambda: "shop/test" in agent.standing.problem)
    assert agent.standing.serial == 1


def test_with_the_control_plane_gone_it_goes_on_and_tells_its_age(plane: ControlPlane, started: Started) -> None:
    agent = started()
    until(lambda: agent.standing.connected)
    plane.stop()
    until(lambda: not agent.standing.connected)
    until(lambda: (agent.standing.age or 0) > 0.3)
    assert agent.evaluate("banner").value == "Summer sale"
    plane.show(plain(2, 4, NEW))
    plane.start()
    until(lambda: agent.evaluate("checkout").value is True)
    until(lambda: (agent.standing.age or 9) < 0.3)


def test_after_a_restart_it_answers_at_once_from_disk(plane: ControlPlane, started: Started, tmp_path: Path) -> None:
    agent = started(cache=tmp_path)
    assert agent.wait(5)
    until(lambda: any(tmp_path.iterdir()))
    agent.stop()
    plane.stop()
    again = Agent("shop", "prod", control=plane.address, cache=tmp_path).start()
    try:
        assert again.evaluate("banner").value == "Summer sale"
        assert not again.standing.connected
    finally:
        again.stop()


def test_a_hundred_restarts_lose_nothing_and_answer_nothing_wrong(plane: ControlPlane, tmp_path: Path) -> None:
    seen = 0
    for number in range(100):
        if number % 10 == 5:
            plane.show(plain(plane.serial + 1, plane.serial + 3))
        with Agent("shop", "prod", control=plane.address, cache=tmp_path) as agent:
            assert agent.wait(5)
            assert agent.evaluate("banner").value == "Summer sale"
            assert agent.standing.serial >= seen
            seen = agent.standing.serial
    assert [file.suffix for file in tmp_path.iterdir()] == [".snapshot"]


def test_listeners_hear_what_is_new_and_for_which_flags(plane: ControlPlane) -> None:
    heard: list[tuple[News, frozenset[str]]] = []
    agent = Agent("shop", "prod", control=plane.address, stale_after=0.6)

    def wrong(*_: object) -> None:
        raise ValueError("an application's own fault")

    with agent.listen(wrong), agent.listen(lambda news, flags: heard.append((news, flags))), agent:
        until(lambda: agent.standing.connected)
        plane.show(plain(2, 4, NEW))
        until(lambda: agent.standing.serial == 2)
        plane.stop()
        until(lambda: (News.STALE, frozenset()) in heard)
        plane.start()
        until(lambda: (News.FRESH, frozenset()) in heard)
    assert [news for news, _ in heard] == [News.READY, News.CHANGED, News.STALE, News.FRESH]
    assert heard[1][1] == {"checkout"}


def test_reports_say_what_is_applied_and_how_often_what_was_answered(plane: ControlPlane, started: Started) -> None:
    plane.show(moving(2, 1000))
    agent = started()
    assert agent.wait(5)
    for user in EVERYBODY:
        agent.evaluate("checkout", {"targetingKey": user})
    agent.evaluate("no such flag")
    until(lambda: plane.reports and sum(plane.reports[-1]["flags"].get("checkout", {}).values()) == 500)
    report = plane.reports[-1]
    assert (report["serial"], report["exposure"], report["rollout"], report["origin"]) == (2, "10%", "shop-prod-3", "db-1")
    on = sum(bucket(user, "salt") < 1000 for user in EVERYBODY)
    assert report["flags"] == {"checkout": {"on": on, "off": 500 - on}}
    assert report["sides"]["candidate"] == {"document": 4, "begun": 0, "finished": 0, "failed": 0, "latency": {}, "flags": {}}
    plane.move(0)
    until(lambda: plane.reports[-1]["exposure"] == "0%", 0.9)


@pytest.mark.parametrize("address", ["", "somewhere", "ftp://host", "http://", "http://host/?a=b"])
def test_what_can_be_no_control_plane_is_refused_with_the_mend(address: str) -> None:
    with pytest.raises(Invalid, match="no control plane"):
        Agent("shop", "prod", control=address)


def test_stopping_takes_no_time_and_twice_is_once(started: Started) -> None:
    agent = started()
    assert agent.wait(5)
    agent.stop()
    agent.stop()
    assert agent.evaluate("banner").value == "Summer sale"


def test_a_move_of_a_rollout_that_it_never_saw_makes_it_ask_for_the_whole(plane: ControlPlane, started: Started) -> None:
    agent = started()
    until(lambda: agent.standing.connected)
    plane.snapshot, plane.serial = moving(2, 1000), 2  # told to nobody
    plane.move(4000)
    until(lambda: agent.standing.serial == 3)
    assert exposed(agent) == {user for user in EVERYBODY if bucket(user, "salt") < 4000}
    assert "snapshot" in plane.asked


def test_events_of_a_later_tidegate_are_passed_over(plane: ControlPlane, started: Started) -> None:
    agent = started()
    until(lambda: agent.standing.connected)
    plane.tell('event: novelty\ndata: {"a": 1}\n\n')
    plane.show(plain(2, 4, NEW))
    until(lambda: agent.standing.serial == 2)
    assert plane.asked.count("stream") == 1


@pytest.mark.parametrize("data", ["", "{}", "[]", "null", '{"serial": 2, "exposure": "11", "rollout": "x"}', '{"serial": "x"}'])
def test_a_move_that_cannot_be_read_changes_nothing(plane: ControlPlane, started: Started, data: str) -> None:
    plane.show(moving(2, 1000))
    agent = started()
    until(lambda: agent.standing.connected)
    plane.tell(f"event: exposure\ndata: {data}\n\n")
    until(lambda: plane.asked.count("stream") >= 2)
    assert exposed(agent) == {user for user in EVERYBODY if bucket(user, "salt") < 1000}
