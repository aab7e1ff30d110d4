"""Changes under load that no user may feel: steps of exposure by hand, replaced tasks, a rollout from end to end."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import httpx2
import pytest

from tests.support.crowd import Crowd
from tests.support.walk import CANARY, Tidegate, until

pytestmark = pytest.mark.real

Told = Callable[[str], None]


def _promote_through(tidegate: Tidegate, service: str, steps: int) -> list[float]:
    """Takes it by hand from the first step to the last; seconds from each `promote` to the first request routed by it."""
    points = 10_000 // steps
    plan = {"linear": {"step": f"{points / 100:g}%", "every": "1h"}, "bake": "1h", "keep_baseline": "1s"}
    id_ = tidegate.deploy(service, "v2", plan=plan)
    tidegate.phase(id_, "watching")
    took = []
    with httpx2.Client(base_url=f"http://127.0.0.1:{tidegate.ports[service]}", timeout=10) as client:
        for step in range(1, steps):
            user = tidegate.user_between(service, step * points, (step + 1) * points)

            def side(user: str = user) -> str:
                return client.get("/", headers={"x-user-id": user}).headers["x-version"]

            assert side() == "v1"
            began = time.monotonic()
            tidegate.ask("POST", f"/services/{service}/promote", reason="")
            until(lambda: side() == "v2", 10, f"step {step + 1} is routed", step=0.002)
            took.append(time.monotonic() - began)
            until(lambda: tidegate.rollout(id_)["phase"] == "watching", 10, "it is seen")
    tidegate.ask("POST", f"/services/{service}/promote", reason="")
    assert tidegate.tidied(id_)["phase"] == "completed"
    return took


def _many_steps(tidegate: Tidegate, told: Told, service: str, steps: int, rate: float) -> None:
    port = tidegate.serve(service)
    with Crowd(port, rate=rate, posts=0.3) as crowd:
        took = _promote_through(tidegate, service, steps)
        time.sleep(1)
    assert crowd.failures_told() == {}
    for user, met in crowd.versions_of().items():
        assert met <= {"v1", "v2"}, user
    middle, worst = statistics.median(took) * 1000, max(took) * 1000
    told(
        f"{steps} steps by hand: {len(crowd.asked):,} requests, 0 failed; from promote to the first request routed "
        f"{middle:.0f} ms (median), {worst:.0f} ms (worst)"
    )


def test_promoting_through_many_steps_under_load_fails_no_request(tidegate: Tidegate, told: Told) -> None:
    _many_steps(tidegate, told, "steps", 10, 80)


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_promoting_through_a_hundred_steps_under_load_fails_no_request(tidegate: Tidegate, told: Told) -> None:
    _many_steps(tidegate, told, "hundred", 100, 150)


def _replace(tidegate: Tidegate, told: Told, service: str, replacements: int, rate: float) -> None:
    """Idempotent and other requests alike: a task that is replaced is drained first."""
    port = tidegate.serve(service)
    began = time.monotonic()
    with Crowd(port, rate=rate, posts=0.3) as crowd:
        for _ in range(replacements // 2):
            before = set(tidegate.tasks(service, "v1"))
            tidegate.ask("POST", f"/services/{service}/restart")
            until(lambda before=before: _replaced(tidegate, service, before), 60, "both tasks are replaced", tidegate.words)
    took = time.monotonic() - began
    assert crowd.failures_told() == {}
    told(f"{replacements} tasks replaced in {took:.0f} s: {len(crowd.asked):,} requests, 0 failed")


def _replaced(tidegate: Tidegate, service: str, before: set[int]) -> bool:
    now = tidegate.ask("GET", f"/services/{service}")["tasks"]
    pids = {task["pid"] for task in now if task["state"] == "healthy"}
    return len(now) == 2 and len(pids) == 2 and not pids & before


def test_replacing_tasks_under_load_fails_no_request(tidegate: Tidegate, told: Told) -> None:
    _replace(tidegate, told, "replaced", 10, 80)


@pytest.mark.nightly
@pytest.mark.timeout(3000)
def test_replacing_three_hundred_tasks_under_load_fails_no_request(tidegate: Tidegate, told: Told) -> None:
    _replace(tidegate, told, "replacedlong", 300, 150)


def test_every_user_moves_once_and_after_an_abort_everybody_is_back_at_once(tidegate: Tidegate, told: Told) -> None:
    port = tidegate.serve("aborted")
    with Crowd(port, rate=100, people=100) as crowd:
        id_ = tidegate.deploy("aborted", "v2", plan=CANARY)
        tidegate.phase(id_, "watching")
        seen_at = time.monotonic()
        time.sleep(2)
        asked_at = time.monotonic()
        tidegate.ask("POST", "/services/aborted/abort", reason="no")
        rollout = tidegate.settled(id_)
        back_at = time.monotonic()
        time.sleep(1.5)
    assert crowd.failures_told() == {}
    assert all(len(met) == 1 for met in crowd.versions_of(seen_at, asked_at).values()), "each stays on his side"
    assert crowd.by_version(since=back_at) == {"v1": sum(1 for one in crowd.asked if one.at >= back_at)}
    last = max((one.at for one in crowd.asked if one.version == "v2"), default=asked_at)
    assert rollout["reason"].startswith("aborted by ")
    told(f"abort: the last request to v2 began {max(0.0, last - asked_at) * 1000:.0f} ms after the order")
