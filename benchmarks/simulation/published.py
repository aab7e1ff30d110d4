"""Published design sizes of safe tests for two proportions, reproduced with our block e-value.

Blocks of `na + nb` outcomes, the alternative of each block the posterior means of what came before, alpha 0.05, power 80 %:
how many blocks does the worst null-free point need? With rho = 1 and delta = 0 our null is theirs seen from one side, and
the projection is the pooled share. Source of the figures: safestats (Ly, Turner and others), its vignette on contingency
tables; method: Turner, Ly and Gruenwald, JSPI 230 (2024). Theirs are Monte-Carlo figures of 1,000 runs or fewer.

    python -m benchmarks.simulation.published
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from rich.progress import track

from tidegate.core.evalue import Array, Block, Margin, Point, log_evalue, project

ALPHA, POWER = 0.05, 0.8
NO_MARGIN = Margin(1.0, 0.0)
_GRID = np.linspace(0.0005, 0.9995, 1000)


@dataclass(frozen=True)
class Design:
    """`prior`: Beta(a1, a2) for side a, Beta(b1, b2) for side b; `restricted`: only alternatives with this difference."""

    na: int
    nb: int
    difference: float
    prior: tuple[float, float, float, float]
    restricted: bool = False


@dataclass(frozen=True)
class Size:
    """Blocks until 80 % of the runs have decided, and the mean number of blocks, both at the worst point."""

    quantile: float
    expected: float


def size(design: Design, *, runs: int, points: int, seed: int) -> Size:
    """The worst of `points` places for the lower share, as the published designs take it. `expected` is the mean number
    of blocks when a run stops at the latest at the planned size."""
    rng = np.random.default_rng(seed)
    lowest = np.linspace(0.0, 1 - design.difference, points + 2)[1:-1]
    stops = [stopping_times(design, float(low), runs=runs, rng=rng) for low in lowest]
    quantiles = [float(np.quantile(stop, POWER)) for stop in stops]
    worst = int(np.argmax(quantiles))
    return Size(quantiles[worst], float(np.minimum(stops[worst], np.ceil(quantiles[worst])).mean()))


def stopping_times(design: Design, low: float, *, runs: int, rng: np.random.Generator, longest: int = 600) -> Array:
    """At which block each run reaches 1/alpha; `longest` when it does not."""
    a, b = low, low + design.difference
    bad_a = rng.binomial(design.na, a, (longest, runs)).astype(float)
    bad_b = rng.binomial(design.nb, b, (longest, runs)).astype(float)
    seen_a, seen_b = np.cumsum(bad_a, axis=0) - bad_a, np.cumsum(bad_b, axis=0) - bad_b
    blocks = np.arange(longest, dtype=float)[:, None]
    toward = _restricted(design, seen_a, seen_b, blocks) if design.restricted else _free(design, seen_a, seen_b, blocks)
    block = Block(np.asarray(float(design.nb)), bad_b, np.asarray(float(design.na)), bad_a)
    log_e = np.cumsum(log_evalue(block, toward, project(block, toward, NO_MARGIN)), axis=0)
    reached = log_e >= np.log(1 / ALPHA)
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1, longest).astype(float)


def _free(design: Design, seen_a: Array, seen_b: Array, blocks: Array) -> Point:
    a1, a2, b1, b2 = design.prior
    mean_a = (a1 + seen_a) / (a1 + a2 + blocks * design.na)
    mean_b = (b1 + seen_b) / (b1 + b2 + blocks * design.nb)
    return Point(mean_b, mean_a)


def _restricted(design: Design, seen_a: Array, seen_b: Array, blocks: Array) -> Point:
    """The posterior mean along the line b = a + difference, a = g * (1 - difference) with g from the Beta prior of side a."""
    a1, a2, _, _ = design.prior
    a = _GRID * (1 - design.difference)
    b = a + design.difference
    prior = (a1 - 1) * np.log(_GRID) + (a2 - 1) * np.log1p(-_GRID)
    mean = np.empty_like(seen_a)
    for i in range(len(blocks)):
        n_a, n_b = i * design.na, i * design.nb
        log_posterior = (
            prior
            + seen_a[i][:, None] * np.log(a)
            + (n_a - seen_a[i][:, None]) * np.log1p(-a)
            + seen_b[i][:, None] * np.log(b)
            + (n_b - seen_b[i][:, None]) * np.log1p(-b)
        )
        weight = np.exp(log_posterior - log_posterior.max(axis=1, keepdims=True))
        mean[i] = (weight * a).sum(axis=1) / weight.sum(axis=1)
    return Point(mean + design.difference, mean)


BALANCED = (0.18, 0.18, 0.18, 0.18)
UNBALANCED = (0.18, 0.18, 0.09, 0.09)


def main() -> None:
    began = time.monotonic()
    designs = (
        ("na=1 nb=1, difference 0.3, free", Design(1, 1, 0.3, BALANCED), 95),
        ("na=2 nb=1, difference 0.3, free", Design(2, 1, 0.3, UNBALANCED), 79),
        ("na=1 nb=1, difference 0.3, restricted", Design(1, 1, 0.3, BALANCED, restricted=True), 54),
        ("na=1 nb=1, difference 0.557, free", Design(1, 1, 0.557143, BALANCED), 24),
        ("na=1 nb=1, difference 0.9, free", Design(1, 1, 0.9, BALANCED), 7.2),
        ("na=2 nb=1, difference 0.3, uniform", Design(2, 1, 0.3, (2, 2, 1, 1)), 56),
    )
    got = [size(design, runs=1000, points=8, seed=1) for _, design, _ in track(designs, "published designs", len(designs))]
    for (said, _, published), ours in zip(designs, got, strict=True):
        print(f"{said:40s} published {published:6.1f}  ours {ours.quantile:6.1f}  expected {ours.expected:6.1f}")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
