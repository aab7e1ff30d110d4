"""What is told of a rollout, in sentences that can be read aloud."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tidegate.core.exposure import Exposure
from tidegate.core.harm import Counted, Harm
from tidegate.engine.teller import describe_harm, say_harm

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HARM = Harm(
    counted=Counted(requests=1240, finished=1240, failed=31, seen=2),
    most=Exposure(1000),
    first=AT,
    detected=AT + timedelta(seconds=4),
    stopped=AT + timedelta(seconds=5),
)
SLOW = replace(HARM, counted=Counted(requests=1240, finished=1240), slow=412)


def test_failures_and_slowness_are_told_with_who_was_exposed_and_how_fast_it_ended() -> None:
    assert say_harm(replace(HARM, slow=412)) == (
        "1,240 requests reached it, at most 10% of the users; 31 attempts failed, users saw 2 of them; about 412 were slower "
        "than they would have been on the baseline. From the first failure to the decision 4s, to exposure zero 1s more."
    )


def test_a_version_that_is_only_slow_is_not_said_to_be_well() -> None:
    assert say_harm(SLOW) == (
        "1,240 requests reached it, at most 10% of the users; none failed, but about 412 were slower than they would have been "
        "on the baseline. From the first slow request to the decision 4s, to exposure zero 1s more."
    )
    assert describe_harm(SLOW)["slow"] == 412


def test_a_version_that_harms_nobody_is_said_to() -> None:
    assert say_harm(replace(SLOW, slow=0)) == "1,240 requests reached it, at most 10% of the users; none failed."


def test_that_nothing_reached_it_is_said_only_when_nobody_was_let_in() -> None:
    assert say_harm(Harm()) == "No request reached it."
    assert say_harm(Harm(most=Exposure(1000))) == "No request to it has been counted."
