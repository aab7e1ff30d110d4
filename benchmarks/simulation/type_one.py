"""How often is a candidate that is harmless by the skin of its teeth rolled back? Over 30,000 rollouts, at the worst point.

The edge of the null: errors at exactly 1.25 times the baseline's and 0.1 points more, latency at exactly 1.1 times. First a
few hundred rollouts at each of a grid of baselines and rates find where the evidence rises highest; then all the others are run
there, with fresh seeds. Two parts: the concurrent comparison of errors alone, whose alpha is guaranteed; and the whole, with
history, latency, clusters and the harm of a real plan. Ends with status 1 when more than alpha of them are rolled back.

    python -m benchmarks.simulation.type_one [--part concurrent] [--rollouts 30000] [--cache DIR]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks.simulation import ours
from benchmarks.simulation.plan import SimPlan
from benchmarks.simulation.scenario import Scenario, Use
from tidegate.core import mixture
from tidegate.core.comparison_settings import Settings
from tidegate.core.evalue import Block, Margin, log_evalues
from tidegate.core.mixture import NEVER, SIZES, Calendar, Prior, Stake
from tidegate.core.plug_in import PlugIn, learn

PLAN = SimPlan.of("linear 10% / 30 s", "linear 10% every 30s bake 1s")
BATCH = {"concurrent": 1000, "whole": 250}
GRID = [(errors, rate) for errors in (0.0003, 0.001, 0.01, 0.1) for rate in (3.0, 30.0, 300.0)]


@dataclass(frozen=True)
class Batch:
    errors: float
    rate: float
    seed: int


def edge(errors: float) -> float:
    settings = Settings()
    return settings.ratio * errors + settings.points


def whole(batch: Batch) -> tuple[int, float]:
    """How many of a batch were rolled back, and how high the evidence of the highest percent rose (in nats)."""
    fault = (edge(batch.errors) - batch.errors) / (1 - batch.errors)
    scenario = Scenario("edge of the null", Use.JUDGE, harmless=True, errors=batch.errors, fault=fault, slower=1.1)
    # The last days of a thousand services, each of which has a rollout again and again.
    day = 5_500_000 + batch.seed // 1000 % 4
    result = ours.simulate(scenario, PLAN, batch.rate, rollouts=BATCH["whole"], seed=batch.seed, day=day)
    return int((~np.isnan(result.found)).sum()), float(np.quantile(result.highest, 0.99))


def concurrent(batch: Batch) -> tuple[int, float]:
    """The same of the concurrent comparison of errors, whose plug-in has to learn the baseline as it goes."""
    rng, settings, many = np.random.default_rng(batch.seed), Settings(), (BATCH["concurrent"], 1)
    calendar, log_m, highest = Calendar.blank((many[0],)), np.full((*many, len(SIZES)), NEVER), np.zeros(many[0])
    prior, plug = Prior(PLAN.seconds, len(PLAN.steps)), PlugIn(*(np.zeros(many) for _ in range(3)))
    opened, exposure = Block(*(np.zeros(many) for _ in range(4))), 0.0
    for share in PLAN.schedule():
        calendar, log_omega = mixture.spend(prior, calendar, np.full(many[0], share != exposure))
        n_c, n_b = (rng.poisson(batch.rate * part, many).astype(float) for part in (share, 1 - share))
        e_c = rng.binomial(n_c.astype(int), edge(batch.errors)).astype(float)
        e_b = rng.binomial(n_b.astype(int), batch.errors).astype(float)
        kept = share == exposure
        block = Block(opened.n_c * kept + n_c, opened.e_c * kept + e_c, opened.n_b * kept + n_b, opened.e_b * kept + e_b)
        closed, exposure = (block.n_c >= 1) & (block.n_b >= 1), share
        stake = Stake(closed, np.ones(1), log_omega)
        made = mixture.wager(block.e_c, plug.share, Margin(settings.ratio, settings.points))
        log_m = mixture.settle(log_m, made, log_evalues(block, plug.share, settings.ratio, [made])[0], stake)
        opened = Block(*(np.where(closed, 0.0, part) for part in (block.n_c, block.e_c, block.n_b, block.e_b)))
        plug = learn(plug, PlugIn(n_b, e_b, e_b), 1.0, settings.half_life)
        highest = np.maximum(highest, mixture.log_evidence(log_m, calendar.log_left[:, None])[:, 0])
    return int((highest >= settings.log_limit).sum()), float(np.quantile(highest, 0.99))


PARTS: dict[str, Callable[[Batch], tuple[int, float]]] = {"concurrent": concurrent, "whole": whole}


@dataclass(frozen=True)
class Judge:
    """Runs batches of one part; what `cache` holds is not run again."""

    part: str
    pool: ProcessPoolExecutor
    cache: Path | None

    def run(self, batches: Sequence[Batch], said: str) -> list[tuple[int, float]]:
        known = self._read()
        missing = [batch for batch in batches if batch not in known]
        for batch, got in zip(missing, track(self.pool.map(PARTS[self.part], missing), said, len(missing)), strict=True):
            known[batch] = got
            self._write(batch, got)
        return [known[batch] for batch in batches]

    def _read(self) -> dict[Batch, tuple[int, float]]:
        file = self.cache / f"{self.part}.jsonl" if self.cache else None
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file and file.exists() else []
        return {Batch(*batch): (found, height) for batch, found, height in lines}

    def _write(self, batch: Batch, got: tuple[int, float]) -> None:
        if self.cache:
            self.cache.mkdir(parents=True, exist_ok=True)
            with (self.cache / f"{self.part}.jsonl").open("a") as file:
                file.write(json.dumps([[batch.errors, batch.rate, batch.seed], *got]) + "\n")


def judge(part: str, rollouts: int, workers: int, cache: Path | None) -> bool:
    """Prints what was found, and returns whether alpha held."""
    size, alpha, began = BATCH[part], Settings().alpha, time.monotonic()
    with ProcessPoolExecutor(workers) as pool:
        asked = Judge(part, pool, cache)
        first = [Batch(errors, rate, 5_000_000 + i) for i, (errors, rate) in enumerate(GRID)]
        highest = asked.run(first, f"{part}: finding the worst point")
        for batch, (found, height) in zip(first, highest, strict=True):
            print(f"errors {batch.errors:7.2%}  {batch.rate:4g} rps  {found} of {size} rolled back, ln E < {height:.2f}")
        worst = first[int(np.argmax([found * 10 + height for found, height in highest]))]
        rest = [Batch(worst.errors, worst.rate, 6_000_000 + 1000 * i) for i in range(-(-rollouts // size))]
        found = sum(count for count, _ in asked.run(rest, f"{part}: at the worst point"))
    total = len(rest) * size
    print(
        f"{part}: at errors {worst.errors:.2%} and {worst.rate:g} rps {found} of {total} rolled back, "
        f"where alpha allows {alpha * total:.0f}; {time.monotonic() - began:.0f} s"
    )
    return found <= alpha * total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--part", choices=[*PARTS, "both"], default="both")
    parser.add_argument("--rollouts", type=int, default=30_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="a directory for what was found; what it holds is not run again")
    given = parser.parse_args()
    parts = list(PARTS) if given.part == "both" else [given.part]
    held = [judge(part, given.rollouts, given.workers, given.cache) for part in parts]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
