"""The plans that are simulated, as exposure over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.simulation.scenario import Onset


@dataclass(frozen=True)
class SimPlan:
    """`steps`: exposures, each held for `hold` seconds. `adaptive` plans leave a step after `least` seconds when the
    candidate is proven to be not worse, and keep to the harm budget inside of it."""

    name: str
    steps: tuple[float, ...]
    hold: float
    bake: float = 60.0
    adaptive: bool = False
    least: float = 12.0
    harm: float = 10.0

    @property
    def seconds(self) -> int:
        return int(self.hold * len(self.steps) + self.bake)

    def schedule(self) -> np.ndarray:
        """The exposure in every second, when nothing is adaptive."""
        exposures = np.repeat(self.steps, int(self.hold))
        return np.concatenate([exposures, np.full(int(self.bake), 1.0)])

    def onset(self, onset: Onset) -> float:
        """When a fault begins, in seconds: it counts from the start of the step with half (or nine tenths) exposed."""
        share = {Onset.START: 0.0, Onset.MIDDLE: 0.45, Onset.LATE: 0.85}[onset]
        return float(int(share * self.hold * len(self.steps)))


TENTHS = tuple(round(0.1 * i, 1) for i in range(1, 10))
LINEAR = SimPlan("linear 10% / 1m", TENTHS, 60.0)
CANARY = SimPlan("canary 10% / 5m", (0.1,), 300.0)
ADAPTIVE = SimPlan("adaptive, harm 10", TENTHS, 60.0, adaptive=True)
PLANS = (LINEAR, CANARY, ADAPTIVE)
