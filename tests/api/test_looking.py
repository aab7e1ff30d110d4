"""Reading: rollouts, events, logs, alarms, health, schema."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.support.served import BEGIN, House, Line
from tidegate.core.environment_schema import environment_schema
from tidegate.core.flags.flags_schema import flags_schema
from tidegate.core.service_schema import service_schema
from tidegate.core.verdict import GuardSeen


def test_history_is_newest_first_and_may_be_of_one_service(own: TestClient, house: House) -> None:
    house.run("v1").run("v2")
    assert [one["id"] for one in own.get("/v1/rollouts?service=web").json()] == ["web-2", "web-1"]
    assert len(own.get("/v1/rollouts?limit=1").json()) == 1
    assert own.get("/v1/rollouts?service=api").json() == []


def test_a_rollout_that_is_not_there_says_how_to_find_one(own: TestClient) -> None:
    answer = own.get("/v1/rollouts/web-9")
    assert (answer.status_code, answer.json()["mend"]) == (404, "List them: tidegate history.")


def test_every_decision_is_explained_with_its_figures(own: TestClient, house: House) -> None:
    house.watcher.guards = (GuardSeen("errors", "ok", "0.2%", "above 1%"),)
    house.begun("v2")
    explained = own.get("/v1/rollouts/web-2/events").json()
    assert explained["rollout"]["id"] == "web-2"
    kinds = [event["kind"] for event in explained["events"]]
    assert kinds[0] == "started"
    assert "shift" in kinds
    facts = explained["events"][-1]["facts"]
    assert facts["guards"][0]["figure"] == "0.2%"
    assert facts["applied"] == "25%"


def test_events_come_in_order_and_go_on_after_the_last_one(own: TestClient, house: House) -> None:
    house.begun("v2")
    newest = own.get("/v1/events?limit=3").json()
    assert [event["id"] for event in newest] == sorted(event["id"] for event in newest)
    assert own.get(f"/v1/events?after={newest[0]['id']}").json() == newest[1:]
    assert own.get(f"/v1/events?after={newest[-1]['id']}").json() == []
    first = own.get("/v1/events?after=0&limit=1").json()[0]
    assert (first["kind"], first["service"], first["actor"]) == ("started", "web", "ann")


def test_logs_are_of_the_task_that_is_named(own: TestClient, house: House) -> None:
    house.run("v1")
    house.said += [Line("web-v1-1", "one"), Line("web-v1-2", "two"), Line("web-v1-1", "three")]
    assert own.get("/v1/services/web/logs?task=web-v1-1").json() == [
        {"task": "web-v1-1", "text": "one"},
        {"task": "web-v1-1", "text": "three"},
    ]
    assert own.get("/v1/services/web/logs?lines=1").json() == [{"task": "web-v1-1", "text": "three"}]
    assert own.get("/v1/services/api/logs").status_code == 404
    assert own.get("/v1/services/web/logs?lines=99999").status_code == 422


def test_alarms_are_listed_by_service(own: TestClient, house: House) -> None:
    house.watcher.alarming = (GuardSeen("errors", "firing", "3%", "above 1%", "3% in 2 of 3 periods"),)
    house.run("v1")
    (one,) = own.get("/v1/alarms").json()
    assert one["service"] == "web"
    assert one["alarms"][0]["state"] == "firing"
    assert own.get("/v1/alarms?service=api").status_code == 404


def test_values_are_pushed_one_or_many(own: TestClient, house: House) -> None:
    assert own.post("/v1/metrics/queue", json={"value": 3, "labels": {"zone": "a"}, "service": "web"}).json() == {"taken": 1}
    assert (
        own.post("/v1/metrics/queue", json=[{"value": 1}, {"value": 2, "at": "2026-01-01T11:59:00+00:00"}]).json()["taken"] == 2
    )
    assert [(name, value) for name, value, _ in house.pushed] == [("queue", 3.0), ("queue", 1.0), ("queue", 2.0)]
    assert house.pushed[0][2] == {"labels": {"zone": "a"}, "service": "web", "version": "", "at": BEGIN}
    assert house.pushed[2][2]["at"] == BEGIN - timedelta(minutes=1)


TOO_MANY_LABELS = {str(number): "x" for number in range(21)}


@pytest.mark.parametrize(
    "value",
    [
        {"value": "x"},
        {},
        {"value": 1e999},
        {"value": 1, "at": "yesterday"},
        {"value": 1, "at": "2026-01-01T12:00:00"},
        {"value": 1, "at": "2027-01-01T12:00:00Z"},
        {"value": 1, "labels": TOO_MANY_LABELS},
        [1],
        [[]],
    ],
)
def test_a_value_that_is_none_is_refused_and_nothing_is_taken(own: TestClient, house: House, value: object) -> None:
    content = json.dumps([{"value": 1}, *(value if isinstance(value, list) else [value])])
    answer = own.post("/v1/metrics/queue", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert house.pushed == []


def test_a_list_that_is_too_long_is_refused(own: TestClient, house: House) -> None:
    assert own.post("/v1/metrics/queue", json=[{"value": 1}] * 1001).status_code == 422
    assert house.pushed == []


def test_health_tells_when_the_loop_last_ticked(own: TestClient, house: House) -> None:
    house.run("v1")
    house.now += timedelta(seconds=2)
    assert own.get("/v1/health").json()["tick_age"] == "2s"
    assert own.get("/v1/health").json()["ready"] is True


def test_a_loop_that_no_longer_ticks_is_stuck(own: TestClient, house: House) -> None:
    house.now += timedelta(minutes=1)
    answer = own.get("/v1/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "stuck")


def test_a_loop_that_has_not_ticked_yet_is_starting_and_one_in_trouble_is_not_ready(own: TestClient, house: House) -> None:
    house.ticked = None
    assert (own.get("/v1/health").json()["status"], own.get("/v1/health").json()["tick_age"]) == ("starting", None)
    house.ticked, house.problems = BEGIN, ["The database is locked."]
    assert own.get("/v1/health").json()["ready"] is False


SCHEMAS = {"service": service_schema, "flags": flags_schema}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_published_schema_is_that_of_the_code(own: TestClient, request: pytest.FixtureRequest, kind: str) -> None:
    published, schema = Path(__file__).parents[2] / "docs" / f"{kind}.schema.json", SCHEMAS[kind]()
    if request.config.getoption("--rewrite"):
        published.write_text(json.dumps(schema, indent=2) + "\n")
    assert json.loads(published.read_text()) == schema, "it is rewritten by: pytest --rewrite tests/api"
    assert own.get(f"/v1/schema/{kind}.json").json() == schema


def test_the_schema_of_the_environment_file_is_served(own: TestClient) -> None:
    assert own.get("/v1/schema/environment.json").json() == environment_schema()
