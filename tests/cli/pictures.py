"""A rollout in full flight, as the command line gets it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.cli.answers import Event, Figures, Guard, Harm, Rollout, Side, Step

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
