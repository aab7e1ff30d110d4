"""What is told before a start: the forecast, and the comparison among the guards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.api.asking import sent
from tests.support.served import WEB, House, service_file
from tidegate.core.errors import Invalid
from tidegate.core.history import History, remember
from tidegate.core.latency_comparison import BINS
from tidegate.core.plan import Plan
from tidegate.engine.view import Figures


def a_day(rate: float = 50, errors: float = 0.5, seconds: int = 100) -> History:
    """`errors` a second among `rate` requests."""
    history = History.blank()
    for _ in range(seconds):
        history = remember(history, np.asarray(rate), np.asarray(errors), np.zeros(BINS), 1.0)
    return history


def ask(client: TestClient, text: str = WEB, **more: Any) -> Any:
    return client.post("/v1/forecast", json={"file": sent(text), **more})


def test_each_step_says_what_it_gathers_and_finds_and_each_fault_what_it_costs(own: TestClient, house: House) -> None:
    house.run("v1")
    before = house.store.events(limit=1000)
    said = ask(own, traffic="100/s").json()
    assert (said["service"], said["first"], said["plan"]) == ("web", False, "linear 25% every 1m")
    assert said["compares"] == "errors up to 1.25x + 0.1pp, latency up to 10% slower"
    assert [(step["exposure"], step["requests"]) for step in said["steps"]] == [
        ("25%", 1500), ("50%", 3000), ("75%", 4500), ("100%", 12_000)
    ]  # fmt: skip
    assert said["steps"][0]["finds"] < 0.05
    assert said["steps"][-1]["finds"] is None
    assert [harm["fault"] for harm in said["harms"]] == [1, 0.2, 0.05, 0.02]
    assert said["harms"][0]["after"] == "1s"
    assert said["duration"] == "5m"
    assert house.store.events(limit=1000) == before


def test_it_takes_the_traffic_that_it_sees_and_says_whose_word_it_is(own: TestClient, house: House) -> None:
    house.run("v1")
    house.watcher.sides["baseline"] = Figures(requests=300, failed=3, per_second=30.0, error_rate=0.01)
    assert ask(own).json()["traffic"] == {
        "per_second": 30, "per_second_from": "now", "error_rate": 0.01, "error_rate_from": "now",
        "clusters": pytest.approx(1.3),
    }  # fmt: skip
    house.watcher.day = a_day()
    traffic = ask(own).json()["traffic"]
    assert (traffic["per_second"], traffic["per_second_from"]) == (30, "now")
    assert (traffic["error_rate"], traffic["error_rate_from"]) == (pytest.approx(0.01), "day")


def test_where_nobody_asks_for_anything_just_now_the_last_day_is_taken(own: TestClient, house: House) -> None:
    house.run("v1")
    house.watcher.day = a_day()
    traffic = ask(own).json()["traffic"]
    assert (traffic["per_second"], traffic["per_second_from"]) == (pytest.approx(50), "day")


def test_without_any_traffic_it_is_refused_with_the_mend(own: TestClient, house: House) -> None:
    answer = ask(own)
    assert answer.status_code == 400
    assert answer.json()["detail"] == "The traffic of web is not known: no version of it runs here."
    assert answer.json()["mend"] == "Say it: --traffic 30/s."
    house.run("v1")
    assert "nobody asked for anything in the last seconds" in ask(own).json()["detail"]


def test_traffic_and_errors_may_be_given_also_where_nothing_runs(own: TestClient) -> None:
    said = ask(own, traffic="1800/m", errors="0.5%").json()
    assert said["first"] is True
    assert said["traffic"]["per_second"] == 30
    assert (said["traffic"]["error_rate"], said["traffic"]["error_rate_from"]) == (0.005, "given")
    assert ask(own, traffic=30).json()["traffic"]["per_second"] == 30


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"traffic": "fast"}, "traffic"), ({"traffic": True}, "traffic"), ({"traffic": -1}, "traffic"),
        ({"errors": 0.1}, "errors"), ({"errors": "60%"}, "errors"), ({"trafic": "3/s"}, "trafic"), ({"plan": "lenear"}, "plan"),
    ],
)  # fmt: skip
def test_what_is_no_traffic_share_or_plan_is_refused_with_its_place(own: TestClient, more: Any, where: str) -> None:
    answer = ask(own, **{"traffic": "10/s", **more})
    assert (answer.status_code, answer.json()["where"]) == (422, where)
    assert answer.json()["mend"]


def test_an_adaptive_plan_where_nothing_is_compared_is_refused_as_a_deploy_would_be(own: TestClient) -> None:
    assert ask(own, WEB + "compare: off\n", traffic="10/s", plan="adaptive harm 10 over 2m").status_code == 422


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        ("off", "Nothing is compared (compare: off): only alarms and failing tasks take a bad version back."),
        ("{rollback: false}", "The comparison only shows (rollback: false): only alarms and failing tasks"),
        ("{errors: off}", "Errors are not compared: a version that fails is found by alarms and failing tasks only."),
    ],
)
def test_where_no_comparison_takes_back_what_remains_is_said(own: TestClient, house: House, compare: str, said: str) -> None:
    house.run("v1")
    answer = ask(own, WEB + f"compare: {compare}\n", traffic="100/s").json()
    assert answer["warnings"][0].startswith(said)
    assert [harm["found"] for harm in answer["harms"]] == [0, 0, 0, 0]
    assert [guard["name"] for guard in answer["guards"]][:3] == ["tasks", "errors", "slow"]


def test_what_the_plan_cannot_see_is_warned_of_in_the_forecast_and_before_a_start(own: TestClient, house: House) -> None:
    house.run("v1")
    house.watcher.sides["baseline"] = Figures(requests=20, per_second=2.0, error_rate=0.0)
    (warning,) = ask(own).json()["warnings"]
    assert warning.startswith("At 2 requests a second the step of 25%, and 2 more that are too short, finds ")
    assert own.post("/v1/validate", json={"file": sent(), "version": "v2"}).json()["warnings"] == [warning]
    house.watcher.sides["baseline"] = Figures(requests=4000, per_second=400.0, error_rate=0.001)
    assert own.post("/v1/validate", json={"file": sent(), "version": "v2"}).json()["warnings"] == []


def _comparison(client: TestClient, text: str = WEB, **more: Any) -> Any:
    guards = client.post("/v1/validate", json={"file": sent(text), "version": "v2", **more}).json()["guards"]
    return next((guard for guard in guards if guard["name"] == "comparison"), None)


def test_before_a_start_the_comparison_says_what_it_compares_with(own: TestClient, house: House) -> None:
    assert _comparison(own) is None, "a first version has nothing to be compared with"
    house.run("v1")
    guard = _comparison(own)
    assert (guard["said"], guard["armed"]) == ("errors up to 1.25x + 0.1pp, latency up to 10% slower", "yes")
    assert guard["why"] == "the last day of this service is not known yet"
    house.watcher.day = a_day()
    assert _comparison(own)["why"] == "the last day of this service is known"
    assert _comparison(own, WEB + "compare: off\n") is None
    assert _comparison(own, WEB + "compare: {rollback: false}\n")["rollback"] is False


def test_where_everybody_is_let_in_at_once_only_the_last_day_is_left(own: TestClient, house: House) -> None:
    house.run("v1")
    guard = _comparison(own, plan="all_at_once")
    assert guard["armed"] == "no"
    assert guard["why"].endswith("the last day is not known yet: there is nothing to compare with")
    house.watcher.day = a_day()
    assert _comparison(own, plan="all_at_once")["armed"] == "yes"


def test_a_plan_finer_than_the_router_is_refused(house: House) -> None:
    plan: Plan = service_file(WEB.replace("step: 25%", "step: 33.33%")).plan.resolve()
    house.router.grain = type(house.router.grain)(100)
    with pytest.raises(Invalid, match="finer than this router"):
        house.foresight.forecast(service_file(), plan, None)  # type: ignore[arg-type]
