"""Candidates that fail: users of idempotent requests see nothing, guards see everything, and all go back. In each walk the
account of harm equals what the users counted and what the tasks themselves wrote down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.crowd import Crowd
from tests.support.walk import CANARY, ERRORS, Tidegate, until

pytestmark = pytest.mark.real

Told = Callable[[str], None]
REFUSED = "refused"


@dataclass(frozen=True)
class Account:
    rollout: dict[str, Any]
    crowd: Crowd
    tills: dict[tuple[str, str], int]  # what v2's tasks did, by method and status

    @property
    def harm(self) -> dict[str, Any]:
        return dict(self.rollout["harm"])

    @property
    def attempts(self) -> int:
        return sum(self.tills.values())

    @property
    def failed(self) -> int:
        return sum(count for (_, status), count in self.tills.items() if status != "200")


def _release(tidegate: Tidegate, service: str, faults: list[str], *, method: str, rate: float, **changes: Any) -> Account:
    """Half of the users meet a v2 with these faults, until it is taken back."""
    port = tidegate.serve(service, f"{service}-v1", **changes)
    version = f"{service}-v2"
    with Crowd(port, rate=rate, posts=1.0 if method == "POST" else 0.0) as crowd:
        id_ = tidegate.deploy(service, version, faults, **{"plan": CANARY, **changes})
        rollout = tidegate.tidied(id_)
        until(lambda: crowd.asked and crowd.asked[-1].ended > time.monotonic() - 0.2, 10, "users go on")
    assert rollout["phase"] == "rolled_back", rollout
    return Account(rollout, crowd, tidegate.told_by_the_till(version))


def _tell(told: Told, account: Account, what: str) -> None:
    harm = account.harm
    told(
        f"{what}: {harm['requests']} attempts, {harm['failed']} failed, users saw {harm['seen']}; detected after "
        f"{harm['time_to_detect']}, exposure 0 {harm['time_to_act']} later ({account.rollout['reason']})"
    )


def _idempotent(tidegate: Tidegate, told: Told, service: str, kind: str, rate: float) -> None:
    faults = ["--refuse", "20%"] if kind == REFUSED else ["--fail", f"GET=20%:{kind}"]
    account = _release(tidegate, service, faults, method="GET", rate=rate)
    harm = account.harm
    assert account.crowd.failures_told() == {}, "users see nothing of it"
    assert harm["seen"] == 0
    assert harm["failed"] > 0
    assert harm["rescued"] == harm["failed"]
    if kind == REFUSED:
        # Whoever was refused reached nobody: only the router can have counted it.
        assert harm["requests"] == account.attempts + harm["failed"]
        assert account.failed == 0
    else:
        assert (harm["requests"], harm["failed"]) == (account.attempts, account.failed)
    _tell(told, account, f"GET, 20% {kind}")


@pytest.mark.parametrize("kind", ["500", "reset", REFUSED])
def test_users_see_nothing_of_failing_idempotent_requests_and_the_guard_sees_them_all(
    tidegate: Tidegate, told: Told, kind: str
) -> None:
    _idempotent(tidegate, told, f"get{kind}", kind, 80)


def _not_idempotent(tidegate: Tidegate, told: Told, service: str, kind: str, rate: float) -> None:
    account = _release(tidegate, service, ["--fail", f"POST=20%:{kind}"], method="POST", rate=rate)
    harm = account.harm
    assert harm["failed"] > 0
    assert (harm["requests"], harm["failed"]) == (account.attempts, account.failed)
    assert harm["seen"] == len(account.crowd.failures) == account.failed
    _tell(told, account, f"POST, 20% {kind}")


@pytest.mark.parametrize("kind", ["500", "reset"])
def test_users_see_failing_posts_and_the_guard_sees_them_too(tidegate: Tidegate, told: Told, kind: str) -> None:
    _not_idempotent(tidegate, told, f"post{kind}", kind, 80)


def test_a_post_whose_connection_is_refused_was_never_sent_and_is_served_elsewhere(tidegate: Tidegate, told: Told) -> None:
    account = _release(tidegate, "postrefused", ["--refuse", "20%"], method="POST", rate=80)
    assert account.crowd.failures_told() == {}
    assert account.harm["seen"] == 0
    assert account.harm["requests"] == account.attempts + account.harm["failed"]
    _tell(told, account, "POST, 20% refused")


SLOW = {"name": "slow", "metric": "p99", "above": "500ms", "period": "1s", "missing": "not_breaching"}


@pytest.mark.parametrize(("name", "alarms"), [("hangp99", [SLOW]), ("hangerrors", [ERRORS])])
def test_a_candidate_that_hangs_is_taken_back(tidegate: Tidegate, told: Told, name: str, alarms: list[Any]) -> None:
    """With an alarm on latency before anybody has finished waiting; with one on errors after the listener's timeout."""
    service = name
    listener = {"port": tidegate.file(service)["listener"]["port"], "timeout": "2s"}
    account = _release(tidegate, service, ["--hang"], method="GET", rate=60, listener=listener, alarms=alarms)
    harm = account.harm
    # Whoever still waited when it was taken back was served by the baseline, as soon as its tasks ended.
    assert harm["requests"] == harm["failed"] == account.attempts
    assert {one.status for one in account.crowd.failures} <= {504}
    assert harm["seen"] == len(account.crowd.failures)
    _tell(told, account, f"hanging, guarded by {alarms[0]['metric']}")


def _shared_outage(tidegate: Tidegate, service: str, outage: Path) -> tuple[str, Crowd, set[str]]:
    """The database is gone for three seconds: everything fails everywhere, so often on end that the router's brake holds the
    candidate back. The rollout, who was asked, and what was decided meanwhile."""
    port = tidegate.serve(service, f"{service}-v1", alarms=[])
    both = ["--outage", str(outage)]
    at_once = {"all_at_once": True, "bake": "0s", "keep_baseline": "0s"}
    plan = {"canary": {"first": "50%", "hold": "4s"}, "bake": "1s", "keep_baseline": "1s"}
    tidegate.tidied(tidegate.deploy(service, f"{service}-v2", both, alarms=[], plan=at_once))
    kinds = set()
    with Crowd(port, rate=80, posts=0.5) as crowd:
        id_ = tidegate.deploy(service, f"{service}-v3", both, alarms=[], plan=plan)
        tidegate.phase(id_, "watching")
        outage.touch()
        began = time.monotonic()
        while time.monotonic() - began < 3:
            rollout = tidegate.rollout(id_)
            kinds.add(rollout["decision"])
            assert rollout["phase"] == "watching", rollout["reason"]
            time.sleep(0.05)
        outage.unlink()
    return id_, crowd, kinds


def test_both_sides_failing_alike_are_no_reason_for_the_hard_gate(tidegate: Tidegate, told: Told, tmp_path: Path) -> None:
    id_, crowd, kinds = _shared_outage(tidegate, "outage", tmp_path / "outage")
    assert "hold" in kinds, "nobody grows into an outage"
    told(f"both sides failing: {len(crowd.failures)} requests failed, decided meanwhile: {sorted(kinds)}")
    tidegate.ask("POST", "/services/outage/abort", reason="seen enough")
    assert tidegate.settled(id_)["reason"].startswith("aborted")


@pytest.mark.nightly
def test_after_an_outage_of_both_sides_the_rollout_goes_on(tidegate: Tidegate, tmp_path: Path) -> None:
    id_, _, _ = _shared_outage(tidegate, "outagelong", tmp_path / "outage")
    with Crowd(tidegate.ports["outagelong"], rate=50):
        assert tidegate.settled(id_, within=90)["phase"] == "completed"


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_ten_failing_candidates_of_each_kind_harm_as_told(tidegate: Tidegate, told: Told) -> None:
    for number in range(10):
        for kind in ("500", "reset", REFUSED):
            _idempotent(tidegate, told, f"get{kind}n{number}", kind, 150)
            tidegate.ask("DELETE", f"/services/get{kind}n{number}")
        for kind in ("500", "reset"):
            _not_idempotent(tidegate, told, f"post{kind}n{number}", kind, 150)
            tidegate.ask("DELETE", f"/services/post{kind}n{number}")
