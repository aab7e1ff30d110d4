"""Our own figures, as a collector reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from tests.support.served import House
from tidegate.core.verdict import GuardSeen

Page = dict[tuple[str, str], float]


def page(tcp: TestClient) -> Page:
    """By name and labels, but for the subject."""
    answer = tcp.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: Page = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name != "subject")
            found[sample.name, labels] = sample.value
    return found


def test_a_rollout_in_flight_is_shown_with_exposure_phase_verdict_guards_and_harm(tcp: TestClient, house: House) -> None:
    house.watcher.guards = (GuardSeen("errors", "firing", "3%", "above 1%", value=0.03, rollback=False),)
    house.begun("v2")
    seen = page(tcp)
    assert seen["tidegate_rollout_in_flight", ""] == 1
    assert seen["tidegate_rollouts_total", ""] == 2
    assert seen["tidegate_exposure_applied_ratio", ""] == 0.25
    assert seen["tidegate_exposure_wanted_ratio", ""] == 0.25
    assert seen["tidegate_rollout_info", "baseline=v1,candidate=v2,release=,rollout=web-2"] == 1
    assert sum(value for (name, _), value in seen.items() if name == "tidegate_rollout_phase") == 1
    assert sum(value for (name, _), value in seen.items() if name == "tidegate_verdict") == 1
    assert seen["tidegate_guard_state", "guard=errors,state=firing"] == 1
    assert seen["tidegate_guard_state", "guard=errors,state=ok"] == 0
    assert seen["tidegate_guard_value", "guard=errors"] == 0.03
    assert seen["tidegate_harm_failed_requests", ""] == 0


def test_without_a_rollout_the_exposure_is_zero_and_nothing_is_said_of_harm(tcp: TestClient, house: House) -> None:
    house.run("v1")
    seen = page(tcp)
    assert seen["tidegate_rollout_in_flight", ""] == 0
    assert seen["tidegate_exposure_applied_ratio", ""] == 0
    assert not [name for name, _ in seen if name.startswith(("tidegate_harm", "tidegate_rollout_phase"))]
    assert seen["tidegate_tasks", "state=healthy,version=v1"] == 2


def test_a_foreign_page_may_not_collect(tcp: TestClient) -> None:
    assert tcp.get("/metrics", headers={"host": "evil.example"}).status_code == 403
