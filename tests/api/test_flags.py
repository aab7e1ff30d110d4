"""Flags over the API: documents, their release, and what agents ask."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx2
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from tests.support.served import TOKEN, House
from tidegate.api.door import loopback_door
from tidegate.core.flags.snapshot import decode_snapshot
from tidegate.core.rollout import Phase
from tidegate.core.verdict import GuardSeen
from tidegate.engine.view import Figures

PROD = "/v1/applications/shop/environments/prod"
FLAGS = {
    "application": "shop",
    "flags": {"checkout": "off", "theme": {"variants": {"dark": {"value": "#000", "when": 'plan == "pro"'}, "light": "#fff"}}},
}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def rollout(house: House) -> Any:
    return house.store.history("shop/prod", 1)[0].rollout


def release(house: House, own: TestClient, content: Any = None, **more: Any) -> Any:
    """Deploys it, and waits until it is in force."""
    answered = own.post(f"{PROD}/deploy", json={"content": content or FLAGS, **more})
    assert answered.status_code == 200, answered.text
    house.until(lambda: rollout(house).phase is Phase.COMPLETED and rollout(house).settled)
    return answered.json()


def test_a_document_is_released_and_read_back_as_it_was_written(house: House, own: TestClient) -> None:
    done = release(house, own)
    assert (done["new"], done["rollout"]["id"], done["rollout"]["candidate"]) == (True, "shop-prod-1", "1")
    assert own.get(f"{PROD}/flags").json() == {"application": "shop", "number": 1, "content": FLAGS}
    shown = own.get(PROD).json()
    assert (shown["document"], shown["flags"], shown["agents"], shown["rollout"]["phase"]) == (1, 2, [], "completed")
    assert [one["number"] for one in own.get("/v1/applications/shop/documents").json()] == [1]
    assert [one["name"] for one in own.get("/v1/environments").json()] == ["shop/prod"]


def test_the_snapshot_is_sound_and_known_by_its_etag(house: House, own: TestClient) -> None:
    assert own.get(f"{PROD}/snapshot").status_code == 404
    release(house, own)
    answered = own.get(f"{PROD}/snapshot")
    snapshot = decode_snapshot(answered.text)
    assert (snapshot.application, snapshot.environment, snapshot.baseline.number, snapshot.candidate) == (
        "shop",
        "prod",
        1,
        None,
    )
    again = own.get(f"{PROD}/snapshot", headers={"If-None-Match": answered.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_who_has_no_token_reads_no_snapshot_and_reports_nothing(house: House, own: TestClient, tcp: TestClient) -> None:
    release(house, own)
    for path in ("snapshot", "stream", "flags", "stale"):
        assert tcp.get(f"{PROD}/{path}").status_code == 401, path
    assert tcp.post(f"{PROD}/reports", json={}).status_code == 401
    assert tcp.get(f"{PROD}/snapshot", headers=BEARER).status_code == 200
    assert tcp.get(PROD).status_code == 200


def test_a_report_is_taken_and_shown(house: House, own: TestClient) -> None:
    release(house, own)
    snapshot = decode_snapshot(own.get(f"{PROD}/snapshot").text)
    counted = {"document": 1, "begun": 5, "finished": 5, "failed": 1, "latency": {"41": 5}}
    report = {
        "agent": "host:1:x",
        "version": "0.1.0",
        "epoch": "a",
        "serial": snapshot.serial,
        "origin": snapshot.origin,
        "exposure": "0%",
        "rollout": "",
        "sides": {"baseline": counted},
        "flags": {"checkout": {"off": 9}},
    }
    assert own.post(f"{PROD}/reports", json=report).status_code == 204
    shown = own.get(PROD).json()
    assert (shown["agents"][0]["id"], shown["evaluations"]) == ("host:1:x", {"checkout": {"off": 9}})
    wrong = own.post(f"{PROD}/reports", json={**report, "exposure": 7})
    assert (wrong.status_code, wrong.json()["where"]) == (422, "exposure")


def test_a_change_of_one_flag_is_a_new_document_from_the_present_one(house: House, own: TestClient) -> None:
    release(house, own)
    done = own.post(f"{PROD}/flags/checkout/on", json={"now": True}).json()
    assert (done["rollout"]["candidate"], done["rollout"]["plan"]) == ("2", "at once")
    house.tick()
    candidate = decode_snapshot(own.get(f"{PROD}/snapshot").text)
    assert (candidate.candidate is not None and candidate.candidate.number, candidate.exposure) == (2, 10000)
    house.until(lambda: rollout(house).settled)
    changed = own.put(f"{PROD}/flags/theme", json={"content": "dark", "now": True})
    assert changed.json()["rollout"]["candidate"] == "3"
    house.until(lambda: rollout(house).settled)
    diff = own.get("/v1/applications/shop/documents/2/diff", params={"other": 3}).json()
    assert [(one["kind"], one["name"]) for one in diff["changes"]] == [("changed", "theme")]
    assert own.post(f"{PROD}/rollback", json={}).json()["rollout"]["candidate"] == "2"


def test_a_document_made_from_an_older_one_is_a_conflict(house: House, own: TestClient) -> None:
    release(house, own)
    answered = own.post(f"{PROD}/deploy", json={"content": FLAGS, "base": 3})
    assert (answered.status_code, answered.json()["detail"]) == (
        409,
        "shop/prod has flag document 1 by now; this was made from 3.",
    )


def test_what_is_wrong_in_a_document_is_told_with_its_place(own: TestClient) -> None:
    wrong = {"application": "shop", "flags": {"checkout": {"when": "in segment nobody"}}}
    answered = own.post(f"{PROD}/validate", json={"content": wrong})
    assert answered.status_code == 422
    assert "nobody" in answered.json()["detail"]
    sound = own.post(f"{PROD}/validate", json={"content": FLAGS}).json()
    assert (sound["flags"], sound["base"], {one["kind"] for one in sound["changes"]}) == (2, 0, {"added"})


def test_evaluation_says_which_rule_won_and_why_the_others_did_not(house: House, own: TestClient) -> None:
    release(house, own)
    asked = {"flag": "theme", "context": {"targetingKey": "ann", "plan": "free"}}
    answered = own.post(f"{PROD}/eval", json=asked).json()
    assert (answered["results"][0]["value"], answered["results"][0]["reason"]) == ("#fff", "DEFAULT")
    assert 'plan is "free"' in "\n".join(answered["steps"])
    everything = own.post(f"{PROD}/eval", json={"context": {"targetingKey": "ann"}}).json()
    assert [one["flag"] for one in everything["results"]] == ["checkout", "theme"]


def test_appconfig_and_flagd_documents_are_taken(house: House, own: TestClient) -> None:
    appconfig = {"version": "1", "flags": {"checkout": {"name": "Checkout"}}, "values": {"checkout": {"enabled": True}}}
    assert own.post(f"{PROD}/validate", json={"content": appconfig, "format": "appconfig"}).json()["flags"] == 1
    flagd = {"flags": {"checkout": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}}}
    release(house, own, flagd, format="flagd")
    assert own.get(f"{PROD}/flags", params={"format": "appconfig"}).json()["content"]["version"] == "1"


def test_an_environment_file_is_taken_over(own: TestClient) -> None:
    file = {"application": "shop", "environment": "prod", "plan": "linear 20% every 2m", "compare": "off"}
    assert own.put(PROD, json=file).json()["sentence"] == "shop/prod: changed plan, compare."
    assert own.get(PROD).json()["plan"] == "linear 20% every 2m"
    assert own.put(PROD, json={**file, "environment": "stage"}).status_code == 422


def test_interventions_are_those_of_services(house: House, own: TestClient) -> None:
    release(house, own)
    own.post(f"{PROD}/deploy", json={"content": {"application": "shop", "flags": {}}, "plan": "linear 10% every 1h"})
    house.until(lambda: rollout(house).phase is Phase.WATCHING)
    assert own.post(f"{PROD}/pause", json={}).json()["paused"]
    assert not own.post(f"{PROD}/resume", json={}).json()["paused"]
    assert own.post(f"{PROD}/promote", json={}).json()["wanted"] == "20%"
    assert own.post(f"{PROD}/abort", json={"reason": "no"}).json()["phase"] == "rolling_back"
    assert own.get("/v1/rollouts", params={"service": "shop/prod"}).json()[0]["id"] == "shop-prod-2"
    assert own.get("/v1/rollouts/shop-prod-2/events").json()["events"][0]["kind"] == "started"


def is_at_rest(got: list[tuple[str, Any]]) -> bool:
    kind, data = got[-1]
    return kind == "snapshot" and decode_snapshot(data).candidate is None and decode_snapshot(data).baseline.number == 2


def test_the_stream_brings_the_snapshot_and_then_only_what_changes(house: House, own: TestClient) -> None:
    release(house, own)
    serving = house.serve()
    got: list[tuple[str, Any]] = []
    arrived = threading.Event()

    def read() -> None:
        with (
            httpx2.Client(
                transport=httpx2.HTTPTransport(uds=str(serving.socket)), base_url="http://tidegate", timeout=60
            ) as client,
            client.stream("GET", f"{PROD}/stream") as response,
        ):
            kind = ""
            for line in response.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    got.append((kind, line.removeprefix("data: ")))
                    arrived.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert arrived.wait(10)
    plan = {"steps": [{"exposure": share, "hold": "2s"} for share in ("10%", "50%", "100%")]}
    release(house, own, {"application": "shop", "flags": {}}, plan=plan)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not is_at_rest(got):
        time.sleep(0.01)
    serving.stop()
    reader.join(5)
    assert got[0][0] == "snapshot"
    serials = [json.loads(data)["serial"] for _, data in got]
    assert serials == sorted(set(serials))
    assert decode_snapshot(got[-1][1]).baseline.number == 2


def test_a_document_of_a_hundred_thousand_members_is_taken(app: ASGIApp, house: House, own: TestClient) -> None:
    content = {
        "application": "shop",
        "segments": {"all": [f"user-{n}" for n in range(100_000)]},
        "flags": {"a": {"when": "in segment all"}},
    }
    assert release(house, own, content)["new"]
    tcp = TestClient(loopback_door(app, TOKEN), base_url="http://127.0.0.1:7400", raise_server_exceptions=False)
    assert tcp.post(f"{PROD}/deploy", json={"content": content}).status_code in (401, 413)


def test_alarms_of_environments_are_among_the_others(house: House, own: TestClient) -> None:
    house.watcher.alarming = (GuardSeen("errors", "ok"),)
    alarm = {"name": "errors", "metric": "error_rate", "above": "5%"}
    own.put(PROD, json={"application": "shop", "environment": "prod", "alarms": [alarm]})
    assert [one["service"] for one in own.get("/v1/alarms").json()] == ["shop/prod"]
    assert own.get("/v1/alarms", params={"service": "shop/prod"}).status_code == 200
    assert own.get("/v1/alarms", params={"service": "shop/none"}).status_code == 404


def test_what_a_change_would_do_is_told_and_nothing_is_changed(house: House, own: TestClient) -> None:
    release(house, own)
    before = house.store.events(limit=1000)
    house.watcher.sides["baseline"] = Figures(requests=300, failed=3, per_second=30.0, error_rate=0.01)
    content = {**FLAGS, "flags": {**FLAGS["flags"], "checkout": "on"}}  # type: ignore[dict-item]
    told = own.post(f"{PROD}/validate", json={"content": content, "plan": "linear 50% every 1m"}).json()
    assert (told["environment"], told["base"], told["candidate"], told["reported"]) == ("shop/prod", 1, 2, 30.0)
    assert [(one["kind"], one["name"]) for one in told["changes"]] == [("changed", "checkout")]
    assert [step["exposure"] for step in told["steps"]] == ["50%", "100%"]
    assert [(guard["name"], guard["armed"]) for guard in told["guards"]] == [("comparison", "yes")]
    same = own.post(f"{PROD}/validate", json={"number": 1}).json()
    assert (same["candidate"], same["changes"]) == (1, [])
    other = own.post(f"{PROD}/validate", json={"content": {**FLAGS, "application": "till"}})
    assert (other.status_code, other.json()["where"]) == (422, "application")
    assert own.post(f"{PROD}/validate", json={"content": FLAGS, "plan": "linear 0% every 1m"}).status_code == 422
    assert (house.store.events(limit=1000), house.store.documents("shop", 5)[0].number) == (before, 1)


def test_a_first_document_has_nothing_to_protect_and_a_silent_agent_arms_nothing(house: House, own: TestClient) -> None:
    told = own.post(f"{PROD}/validate", json={"content": FLAGS}).json()
    assert (told["base"], told["guards"], told["warnings"], told["agents"]) == (0, [], [], 0)
    release(house, own)
    told = own.post(f"{PROD}/validate", json={"content": FLAGS}).json()
    assert [(guard["armed"], guard["why"]) for guard in told["guards"]] == [("no", "no agent is there")]


def test_a_plan_is_forecast_at_what_agents_report_or_at_what_is_said(house: House, own: TestClient) -> None:
    release(house, own)
    refused = own.post(f"{PROD}/forecast", json={})
    assert (refused.status_code, refused.json()["mend"]) == (400, "Say it: --traffic 30/s.")
    told = own.post(f"{PROD}/forecast", json={"traffic": "100/s", "plan": "linear 25% every 1m"}).json()
    assert (told["service"], told["first"], told["steps"][0]["requests"]) == ("shop/prod", False, 1500)
    file = {"application": "shop", "environment": "stage", "compare": "off"}
    assert own.post(f"{PROD}/forecast", json={"file": file, "traffic": "1/s"}).status_code == 422
    stage = own.post("/v1/applications/shop/environments/stage/forecast", json={"file": file, "traffic": "1/s"}).json()
    assert stage["first"]
    assert "only alarms take a bad change back" in stage["warnings"][0]


def test_a_pushed_value_is_of_a_service_or_of_an_environment(house: House, own: TestClient) -> None:
    assert own.post("/v1/metrics/sales", json={"value": 1, "environment": "shop/prod"}).json() == {"taken": 1}
    assert house.pushed[0][2]["service"] == "shop/prod"
    for wrong in ({"environment": "shop"}, {"environment": "shop/prod", "service": "web"}):
        assert own.post("/v1/metrics/sales", json={"value": 1, **wrong}).status_code == 422, wrong
