"""A rollout in full flight, as the command line gets it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.cli.answers import Comparison, Event, Figures, Guard, Harm, Outcome, Rollout, Side, Step

NOW = datetime(2026, 1, 1, 12, 0, 31, tzinfo=UTC)
STEPS = (*(Step(f"{share}%", timedelta(minutes=1)) for share in range(10, 100, 10)), Step("100%", timedelta(minutes=5)))
HARM = Harm(
    requests=1240,
    finished=1238,
    failed=31,
    rescued=29,
    seen=2,
    rate=0.025,
    baseline_rate=0.0004,
    most="20%",
    time_to_detect="4.2s",
    time_to_act="400ms",
)
GUARDS = (
    ("errors", "ok", "0.40%", "above 1% in 2 of 3 periods of 10s"),
    ("slow", "firing", "1.21s", "above 800ms", "1.21s in 3 of 3 periods"),
    ("queue", "no_data", "", "above 20"),
)
SIDES = (
    Side("v1", 2, 2, Figures(12040, 3, 0, 1204.2, 0.00025, 12.1, 35.2)),
    Side("v2", 2, 1, Figures(2412, 61, 3, 241.0, 0.0253, 14.0, 1210.0)),
)
EVENTS = tuple(
    Event(number, NOW, kind, "web", "web-12", "tidegate", why, {})
    for number, (kind, why) in enumerate(
        [("shift", "to 10%: v2 is healthy"), ("watch", "10% is applied"), ("shift", "to 20%: 10% was watched for 1m: good")], 1
    )
)


WHY = "errors: 31 of 1,204 requests (2.6%) on the candidate, 3 of 12,040 (0.02%) on the baseline; evidence 4,031, limit 1,000"
OUTCOMES = (
    Outcome("errors", 1204, 31, 12_040, 3, 10_030.2, 912.7),
    *(Outcome(f"latency {limit}", 1204, 12, 12_040, 120, 0.84, None) for limit in ("p50", "p75", "p90", "p99", "p99.9")),
    Outcome("checkout_failed_total", 0, 0, 1000, 0, 1.0),
)
COMPARED = Comparison("firing", WHY, 4031.0, 1000.0, 0, OUTCOMES)
LITTLE = Comparison(
    "no_data",
    "not enough data: 120 requests of the candidate in this step, a fault of 12% would have been found; about 1,200 more are "
    "needed to find one of 5%",
    4.6,
    1000.0,
    1200,
    OUTCOMES,
)


def comparing(seen: Comparison) -> tuple[tuple[str, ...], ...]:
    """The guards, with the comparison as the last one."""
    return (*GUARDS, ("comparison", seen.standing, "evidence 4.6", "at 1,000", seen.sentence))


def deciding(kind: str, seen: Comparison) -> Event:
    facts = {
        "wanted": "10%",
        "applied": "10%",
        "watched": "12s",
        "guards": [{"name": "comparison", "state": seen.standing, "why": seen.sentence}],
        "comparison": asdict(seen),
    }
    return Event(9, NOW, kind, "web", "web-12", "tidegate", seen.sentence, facts)


def rollout(**changed: Any) -> Rollout:
    guards = changed.pop("guards", GUARDS)
    values: dict[str, Any] = {
        "id": "web-12",
        "service": "web",
        "baseline": "v1",
        "candidate": "v2",
        "plan": "linear 10% every 1m",
        "steps": STEPS,
        "phase": "watching",
        "in_flight": True,
        "step": 2,
        "wanted": "20%",
        "applied": "20%",
        "served": 0.1987,
        "watched": timedelta(seconds=26.4),
        "hold": timedelta(minutes=1),
        "left": timedelta(minutes=12, seconds=33.6),
        "paused": False,
        "waiting": "",
        "reason": "",
        "decision": "watch",
        "why": "20% is applied",
        "tidy": "",
        "by": "ann",
        "created": NOW,
        "ended": None,
        "guards": tuple(Guard(*guard) for guard in guards),
        "sides": SIDES,
        "harm": HARM,
    }
    return Rollout(**{**values, **changed})
