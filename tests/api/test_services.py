"""Services over the API: apply, deploy, and what a person may do to a rollout."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from tests.api.asking import deploy, sent, written
from tests.support.served import WEB, House, service_file
from tidegate.core.rollout import Phase
from tidegate.core.verdict import GuardSeen
from tidegate.engine.view import Figures


def test_nothing_is_listed_before_anything_was_deployed(own: TestClient) -> None:
    assert own.get("/v1/services").json() == []


def test_a_deploy_begins_a_rollout_and_answers_how_it_stands(own: TestClient, house: House) -> None:
    answer = deploy(own, "v1", reason="the first")
    assert answer.status_code == 200
    assert answer.json()["new"] is True
    assert answer.json()["rollout"]["phase"] == "preparing"
    assert answer.json()["sentence"] == "web-1: nothing -> v1, linear 25% every 1m."
    assert house.rollout().candidate == "v1"


def test_a_plan_may_be_a_sentence(own: TestClient, house: House) -> None:
    house.run("v1")
    steps = deploy(own, "v2", plan="linear 50% every 10s bake 30s").json()["rollout"]["steps"]
    assert [(step["exposure"], step["hold"]) for step in steps] == [("50%", "10s"), ("100%", "30s")]


def test_deploying_what_runs_is_nothing(own: TestClient, house: House) -> None:
    house.run("v1")
    answer = deploy(own, "v1").json()
    assert answer["rollout"] is None
    assert answer["new"] is False
    assert "there is nothing to do" in answer["sentence"]


def test_a_second_rollout_in_flight_is_a_conflict_with_its_mend(own: TestClient, house: House) -> None:
    house.begun("v2")
    answer = deploy(own, "v3")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["mend"] == "Wait for it, or stop it: tidegate abort web."


def test_a_file_for_another_service_than_the_path_is_refused(own: TestClient) -> None:
    answer = own.post("/v1/services/api/deploy", json={"file": sent(), "version": "v1"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "The path names api, the file web."


def test_an_unknown_key_is_answered_with_the_nearest_and_its_place(own: TestClient) -> None:
    file = sent()
    file["tasks"]["conut"] = 3
    answer = own.post("/v1/services/web/deploy", json={"file": file, "version": "v1"}).json()
    assert answer["where"] == "file.tasks.conut"
    assert answer["mend"] == "Did you mean 'count'?"


@pytest.mark.parametrize("kind", ["application/yaml", "text/plain", "application/json; charset=utf-8"])
def test_a_service_file_is_applied_as_yaml_and_as_json(own: TestClient, house: House, kind: str) -> None:
    house.run("v1")
    text = WEB.replace("count: 2", "count: 3")
    content = service_file(text).model_dump_json(exclude_none=True) if "json" in kind else text
    answer = own.put("/v1/services/web", content=content, headers={"content-type": kind})
    assert answer.json() == {"sentence": "web: changed tasks."}
    record = house.store.service("web")
    assert record is not None
    assert record.file.tasks.count == 3


def test_a_person_pauses_resumes_promotes_and_aborts(own: TestClient, house: House) -> None:
    house.begun("v2")
    assert own.post("/v1/services/web/pause", json={"reason": "lunch"}).json()["paused"] is True
    assert own.post("/v1/services/web/resume").json()["paused"] is False
    assert own.post("/v1/services/web/promote").json()["wanted"] == "50%"
    house.until(lambda: house.rollout().phase is Phase.WATCHING)
    assert own.post("/v1/services/web/promote", json={"full": True}).json()["wanted"] == "100%"
    aborted = own.post("/v1/services/web/abort", json={"reason": "we saw errors"}).json()
    assert aborted["phase"] == "rolling_back"
    assert aborted["reason"].endswith("we saw errors")


def test_abort_all_stops_everything_in_flight(own: TestClient, house: House) -> None:
    house.begun("v2")
    house.deploy("a1", WEB.replace("service: web", "service: api").replace("8080", "8081"))
    stopped = own.post("/v1/abort").json()
    assert {one["service"] for one in stopped} == {"web", "api"}
    assert own.post("/v1/abort").json() == []


def test_a_rollback_brings_back_the_version_before(own: TestClient, house: House) -> None:
    house.run("v1").run("v2")
    answer = own.post("/v1/services/web/rollback", json={"reason": "v2 is slow"}).json()
    assert (answer["rollout"]["baseline"], answer["rollout"]["candidate"]) == ("v2", "v1")


def test_a_rollback_to_an_unknown_version_names_those_that_are_known(own: TestClient, house: House) -> None:
    house.run("v1")
    answer = own.post("/v1/services/web/rollback", json={"to": "v9"})
    assert (answer.status_code, answer.json()["mend"]) == (404, "Known versions: v1.")


def test_a_restart_and_a_removal_answer_with_a_sentence(own: TestClient, house: House) -> None:
    house.run("v1")
    assert "web" in own.post("/v1/services/web/restart").json()["sentence"]
    assert "removed" in own.request("DELETE", "/v1/services/web", json={"reason": "gone"}).json()["sentence"]
    assert own.get("/v1/services").json() == []


def test_validate_says_what_would_happen_and_changes_nothing(own: TestClient, house: House) -> None:
    house.run("v1")
    before = house.store.events(limit=1000)
    answer = own.post("/v1/validate", json={"file": sent(), "version": "v2"}).json()
    assert (answer["baseline"], answer["candidate"], answer["duration"]) == ("v1", "v2", "5m")
    assert [guard["name"] for guard in answer["guards"]] == ["tasks", "errors", "slow", "comparison"]
    assert answer["guards"][1]["said"] == "error_rate of the candidate above 1% in 2 of 3 periods of 10s"
    assert house.store.events(limit=1000) == before


@pytest.mark.parametrize(("if_firing", "armed"), [("refuse", "refused"), ("ignore", "no"), ("compare", "later")])
def test_validate_says_whether_a_guard_that_fires_will_be_armed(
    own: TestClient, house: House, if_firing: str, armed: str
) -> None:
    house.run("v1")
    house.watcher.alarming = (GuardSeen("errors", "firing", "3%", "above 1%"), GuardSeen("slow", "ok", "40ms", "above 800ms"))
    text = WEB.replace("bake: 2m}", f"bake: 2m, if_firing: {if_firing}}}")
    guards = own.post("/v1/validate", json={"file": sent(text), "version": "v2"}).json()["guards"]
    assert [(guard["name"], guard["armed"]) for guard in guards] == [
        ("tasks", "yes"), ("errors", armed), ("slow", "yes"), ("comparison", "yes")
    ]  # fmt: skip


def test_validate_says_how_long_an_adaptive_plan_takes_at_least_and_at_most(own: TestClient, house: House) -> None:
    house.run("v1")
    answer = own.post("/v1/validate", json={"file": sent(), "version": "v2", "plan": "adaptive harm 10 over 90s"}).json()
    assert (answer["shortest"], answer["duration"]) == ("6m30s", "12m30s")
    assert (answer["steps"][0]["least"], answer["steps"][0]["hold"]) == ("10s", "50s")
    assert answer["steps"][-1]["least"] is None
    deploy(own, "v2", plan="adaptive harm 10 over 90s")
    assert own.get("/v1/rollouts/web-2").json()["left"] == "6m30s"


def test_validate_refuses_what_this_machine_refuses(own: TestClient, house: House) -> None:
    house.router.taken_ports.add(8080)
    answer = own.post("/v1/validate", json={"file": sent()})
    assert (answer.status_code, answer.json()["detail"]) == (400, "Port 8080 is taken by another process.")


def test_validate_names_the_rollout_that_is_in_the_way(own: TestClient, house: House) -> None:
    house.begun("v2")
    assert own.post("/v1/validate", json={"file": sent(), "version": "v3"}).json()["in_flight"] == "web-2"


def test_tasks_that_others_run_are_counted_by_their_addresses(own: TestClient) -> None:
    file = service_file(WEB)
    elsewhere = written(file)
    elsewhere["tasks"] = {"targets": ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"]}
    assert own.post("/v1/validate", json={"file": elsewhere}).json()["tasks"] == 3


def test_a_service_shows_its_tasks_and_its_latest_rollout(own: TestClient, house: House) -> None:
    house.begun("v2")
    shown = own.get("/v1/services/web").json()
    assert [task["state"] for task in shown["tasks"]] == ["healthy"] * 4
    assert shown["rollout"]["applied"] == "25%"
    assert shown["rollout"]["hold"] == "1m"
    assert shown["versions"] == ["v2", "v1"]


def test_times_are_utc_and_durations_readable(own: TestClient, house: House) -> None:
    house.begun("v2")
    house.tick(4, timedelta(milliseconds=500))
    shown = own.get("/v1/rollouts/web-2").json()
    assert shown["created"].endswith("Z")
    assert shown["watched"] == "2s"
    assert shown["harm"]["most"] in ("0%", "25%")


def test_a_figure_that_is_no_number_is_not_seen(own: TestClient, house: House) -> None:
    house.watcher.sides = {"baseline": Figures(error_rate=float("nan")), "candidate": Figures(p99=float("inf"))}
    house.begun("v2")
    baseline, candidate = own.get("/v1/rollouts/web-2").json()["sides"]
    assert baseline["figures"]["error_rate"] is None
    assert candidate["figures"]["p99"] is None
