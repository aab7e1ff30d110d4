"""The plans that are simulated: the product's own, read from the sentences that people write."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.simulation.scenario import Onset
from tidegate.core.exposure import WHOLE
from tidegate.core.plan import Plan, read_plan


@dataclass(frozen=True)
class SimPlan:
    """`steps`: the exposures below 100 %, each held for `hold` seconds; then everybody for `bake` seconds."""

    name: str
    plan: Plan

    @classmethod
    def of(cls, name: str, sentence: str) -> SimPlan:
        return cls(name, read_plan(sentence).resolve())

    @property
    def adaptive(self) -> bool:
        return self.plan.harm is not None

    @property
    def steps(self) -> tuple[float, ...]:
        return tuple(step.exposure / WHOLE for step in self.plan.steps[:-1])

    @property
    def hold(self) -> float:
        return self.plan.steps[0].hold.total_seconds()

    @property
    def bake(self) -> float:
        return self.plan.steps[-1].hold.total_seconds()

    @property
    def seconds(self) -> int:
        """How long it takes when every step has enough data at the end of its hold."""
        return int(self.plan.duration.total_seconds())

    def schedule(self) -> np.ndarray:
        """The exposure in every second, when nothing is adaptive."""
        exposures = np.repeat(self.steps, int(self.hold))
        return np.concatenate([exposures, np.full(int(self.bake), 1.0)])

    def onset(self, onset: Onset) -> float:
        """When a fault begins, in seconds of watched time: with half, or nine tenths, of the way to everybody done."""
        share = {Onset.START: 0.0, Onset.MIDDLE: 0.45, Onset.LATE: 0.85}[onset]
        return float(int(share * self.hold * len(self.steps)))


LINEAR = SimPlan.of("linear 10% / 1m", "linear 10% every 1m bake 1m")
CANARY = SimPlan.of("canary 10% / 5m", "canary 10% hold 5m bake 1m")
ADAPTIVE = SimPlan.of("adaptive, harm 10", "adaptive harm 10 over 2m bake 1m")
PLANS = (LINEAR, CANARY, ADAPTIVE)
