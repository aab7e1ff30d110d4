"""How rollouts follow their plan, hundreds side by side: the array twin of the steps in `tidegate/core/rollout.py`.

`decide` is written for one rollout, with its reasons. What a healthy lever and unpaused rollouts make of it is this: an
exposure is seen one look after it was asked for, and is watched from then on; while the verdict is *held* the clock stands; the
harm budget may let in more at every watched look; a step is left when it was held, or is proven; without enough data
only after twice its hold. A test walks both in lock step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tidegate.core.evalue import Array, Flags
from tidegate.core.exposure import FULL
from tidegate.core.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class Following:
    """`step`, `allowed` and `watched` as in `Rollout`; `shifting`: the wanted exposure was not seen yet."""

    step: Array
    allowed: Array
    watched: Array
    shifting: Flags
    completed: Flags

    @classmethod
    def begin(cls, plan: Plan, allowed: Array) -> Following:
        """Just shifted to the first step. `allowed`: what the harm budget allows before the first request."""
        zero = np.zeros(len(allowed))
        first = allowed if plan.harm is not None else zero
        return cls(zero, first, zero, np.ones(len(allowed), dtype=bool), np.zeros(len(allowed), dtype=bool))

    def wanted(self, plan: Plan) -> Array:
        exposures = np.array([float(step.exposure) for step in plan.steps])
        index = self.step.astype(int)
        last = index == len(plan.steps) - 1
        within = exposures[index] if plan.harm is None else np.minimum(exposures[index], self.allowed)
        wanted: Array = np.where(last, exposures[index], within)
        return wanted


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one look says of each rollout: the verdict, and what an adaptive plan asks for."""

    held: Flags
    no_data: Flags
    allowed: Array
    not_worse: Flags


def follow(before: Following, plan: Plan, look: Look, span: float = 1.0) -> Following:
    """One turn of all of them, none of which is bad."""
    holds = np.array([step.hold.total_seconds() for step in plan.steps])[before.step.astype(int)]
    exposures = np.array([float(step.exposure) for step in plan.steps])[before.step.astype(int)]
    watches = ~before.shifting & ~look.held & ~before.completed
    after = replace(
        before,
        watched=before.watched + span * watches,
        allowed=_allowed(before, look, exposures, watches) if plan.harm is not None else before.allowed,
        shifting=np.zeros_like(before.shifting),
    )
    wanted = after.wanted(plan)
    grows = wanted > before.wanted(plan)
    least = [step.least.total_seconds() if step.least is not None else np.inf for step in plan.steps]
    proven = (after.watched >= np.array(least)[before.step.astype(int)]) & look.not_worse & (wanted == exposures)
    lacking = look.no_data & (exposures < FULL) & (after.watched < 2 * holds)
    leaves = watches & ~grows & (proven | ((after.watched >= holds) & ~lacking))
    last = before.step == len(plan.steps) - 1
    return Following(
        step=after.step + (leaves & ~last),
        allowed=after.allowed,
        watched=np.where(leaves, 0.0, after.watched),
        shifting=grows | (leaves & ~last),
        completed=before.completed | (leaves & last),
    )


def _allowed(before: Following, look: Look, exposures: Array, watches: Flags) -> Array:
    """Growth by less than a quarter waits."""
    worth_it = np.minimum(exposures, before.allowed + np.maximum(1.0, before.allowed // 4))
    takes = watches & (look.allowed >= worth_it) & (look.allowed > before.allowed)
    return np.where(takes, look.allowed, before.allowed)
