"""The simulation follows a plan as a rollout does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from benchmarks.simulation.follow import Following, Look, follow
from tidegate.core.decide import decide
from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.plan import read_plan
from tidegate.core.rollout import Phase, Rollout, Seen
from tidegate.core.setting import Applied
from tidegate.core.verdict import GOOD, Cause, unknown

MANY, START = 12, datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "sentence",
    ["linear 25% every 7s bake 4s", "canary 10% hold 9s bake 3s", "adaptive harm 10 over 40s bake 5s", "all_at_once bake 5s"],
)
def test_hundreds_side_by_side_walk_as_one_does(sentence: str) -> None:
    plan, rng = read_plan(sentence).resolve(), np.random.default_rng(1)
    opened = rng.integers(1, 300, MANY)
    rollouts = [_begun(sentence, int(allowed)) for allowed in opened]
    twin = Following.begin(plan, opened.astype(float))
    for turn in range(1, 400):
        # No data and held for spells of time, as it is; what is allowed wanders upwards.
        no_data, held = rng.random(MANY) < 0.7, rng.random(MANY) < 0.1
        not_worse, allowed = rng.random(MANY) < 0.4, np.minimum(rng.integers(1, 100 + 60 * turn, MANY), FULL)
        exposed = twin.wanted(plan)
        for i, rollout in enumerate(rollouts):
            if rollout.phase is Phase.COMPLETED:
                continue
            assert rollout.wanted == exposed[i], f"{i} at turn {turn}: {rollout.decision}"
            whole = rollout.wanted == FULL
            verdict = unknown(Cause.HELD, "x") if held[i] else unknown(Cause.NO_DATA, "x") if no_data[i] and not whole else GOOD
            setting = rollout.setting
            seen = Seen(
                Applied(setting.exposure, setting.stable, setting.slot, setting.salt),
                verdict=verdict,
                allowed=Exposure(int(allowed[i])) if plan.harm is not None else NONE,
                not_worse=bool(not_worse[i]),
            )
            rollouts[i], _ = decide(rollout, seen, START + timedelta(seconds=turn))
        twin = follow(twin, plan, Look(held, no_data, allowed.astype(float), not_worse))
        assert [rollout.phase is Phase.COMPLETED for rollout in rollouts] == list(twin.completed)
    assert twin.completed.all()


def _begun(sentence: str, allowed: int) -> Rollout:
    plan = read_plan(sentence).resolve()
    rollout = Rollout("r", "web", "v1", "v2", "salt", plan, "somebody", START, START)
    wanted = Exposure(allowed) if plan.harm is not None else NONE
    return replace(rollout, phase=Phase.SHIFTING, allowed=wanted)
