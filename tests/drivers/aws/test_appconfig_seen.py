"""What is asked of AppConfig next, from what was seen. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tidegate.core.plan import PlanFile
from tidegate.core.setting import Errand, Setting
from tidegate.drivers.aws.appconfig_seen import Deployment, Seen, Start, next_act

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BACK = Setting("1", "3", rollout="shop-prod-3", errand=Errand(PlanFile.default().resolve(), NOW, back=True))
"""From 3 to 1, which no revert brings: 2 was in force between them."""
COMPLETE = (
    Deployment(3, "3", "COMPLETE", ours=True, rollout="shop-prod-3", completed=NOW),
    Deployment(2, "2", "COMPLETE", ours=True, rollout="shop-prod-2", completed=NOW),
)


def asked(tries: int, seconds: int) -> bool:
    """Whether it is deployed again, so long after the last of so many tries was taken back."""
    taken = Deployment(0, "1", "ROLLED_BACK", ours=True, rollout="shop-prod-3", completed=NOW)
    before = [replace(taken, number=3 + number) for number in range(tries, 0, -1)]
    return next_act(BACK, Seen((*before, *COMPLETE), NOW + timedelta(seconds=seconds))) == Start("1", at_once=True)


def test_a_way_back_that_appconfig_takes_back_is_deployed_again_after_a_growing_pause() -> None:
    assert asked(0, 0), "the first one at once"
    assert [(asked(tries, pause - 1), asked(tries, pause)) for tries, pause in ((1, 5), (2, 10), (3, 20))] == [
        (False, True)
    ] * 3


def test_the_pause_is_never_longer_than_a_minute() -> None:
    assert [(asked(tries, 59), asked(tries, 60)) for tries in (5, 6, 100)] == [(False, True)] * 3
