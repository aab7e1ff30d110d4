"""How often is a candidate that is harmless by the skin of its teeth rolled back? Over 30,000 rollouts, at the worst point.

The edge of the null: errors at exactly 1.25 times the baseline's and 0.1 points more, latency at exactly 1.1 times. First a
few thousand rollouts over a grid of baselines and rates find where the evidence rises highest; then all the others are run
there, with fresh seeds. Ends with status 1 when more than alpha of them are rolled back.

    python -m benchmarks.simulation.type_one [--rollouts 30000]
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from rich.progress import track

from benchmarks.simulation import ours
from benchmarks.simulation.plan import TENTHS, SimPlan
from benchmarks.simulation.scenario import Scenario, Use
from tidegate.core.comparison_settings import Settings

PLAN = SimPlan("linear 10% / 30 s", TENTHS, 30.0, bake=0.0)
BATCH = 250
GRID = [(errors, rate) for errors in (0.0003, 0.001, 0.01, 0.1) for rate in (3.0, 30.0, 300.0)]


@dataclass(frozen=True)
class Batch:
    errors: float
    rate: float
    seed: int


def at_the_edge(errors: float) -> Scenario:
    settings = Settings()
    fault = (settings.ratio - 1) * errors + settings.points
    return Scenario("edge of the null", Use.JUDGE, harmless=True, errors=errors, fault=fault / (1 - errors), slower=1.1)


def run(batch: Batch) -> tuple[int, float]:
    """How many of a batch were rolled back, and how high the evidence of the highest percent rose (in nats)."""
    result = ours.simulate(at_the_edge(batch.errors), PLAN, batch.rate, rollouts=BATCH, seed=batch.seed)
    return int((~np.isnan(result.found)).sum()), float(np.quantile(result.highest, 0.99))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rollouts", type=int, default=30_000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with ProcessPoolExecutor(given.workers) as pool:
        first = [Batch(errors, rate, 5_000_000 + i) for i, (errors, rate) in enumerate(GRID)]
        highest = list(track(pool.map(run, first), "finding the worst point", total=len(first)))
        for batch, (found, height) in zip(first, highest, strict=True):
            print(
                f"errors {batch.errors:7.2%}  {batch.rate:6g} rps  rolled back {found} of {BATCH}  "
                f"99% of ln E below {height:5.2f}"
            )
        worst = first[int(np.argmax([found * 10 + height for found, height in highest]))]
        rest = [Batch(worst.errors, worst.rate, 6_000_000 + 1000 * i) for i in range(-(-given.rollouts // BATCH))]
        found = sum(count for count, _ in track(pool.map(run, rest), "at the worst point", total=len(rest)))
    total, alpha = len(rest) * BATCH, Settings().alpha
    print(f"worst point: errors {worst.errors:.2%} at {worst.rate:g} rps")
    print(f"{found} of {total} rolled back, alpha allows {alpha * total:.0f}")
    sys.exit(found > alpha * total)


if __name__ == "__main__":
    main()
