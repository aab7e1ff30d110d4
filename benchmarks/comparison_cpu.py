"""CPU time of one tick of a comparison, for one rollout with errors and latency: the target is 1 ms.

python -m benchmarks.comparison_cpu
"""

from __future__ import annotations

import sys
import timeit
from time import process_time

import numpy as np

from tidegate.core import comparison
from tidegate.core.comparison_input import Counts, Tick
from tidegate.core.comparison_report import report
from tidegate.core.comparison_settings import Settings
from tidegate.core.exposure import Exposure
from tidegate.core.history import History, remember_tally
from tidegate.core.latency import Latencies
from tidegate.core.mixture import Prior
from tidegate.core.tally import Tally

TICKS, ROUNDS, TARGET = 100, 25, 1.0
"""Each tick is timed by itself, the best of all rounds counts: others use the machine, too."""


def tally(rng: np.random.Generator, requests: int) -> Tally:
    return Tally(requests, requests, int(rng.binomial(requests, 0.001)), Latencies.of(50_000 * rng.lognormal(0, 0.5, requests)))


def main() -> None:
    rng, settings, history = np.random.default_rng(1), Settings(), History.blank()
    sides = [(tally(rng, 10), tally(rng, 90)) for _ in range(TICKS)]
    for _, baseline in sides:
        history = remember_tally(history, baseline, 1.0)
    best = {"advance": 1e9, "counts of tallies": 1e9, "report": 1e9, "remember": 1e9}
    fastest = [1e9] * TICKS
    for _ in range(ROUNDS):
        state = comparison.begin(settings, history, Prior(TICKS, 9))
        began = process_time()
        ticks = [
            Tick.of(Counts.of(settings, c), Counts.of(settings, b), span=1.0, exposure=Exposure(1000), step=0) for c, b in sides
        ]
        made = process_time()
        for i, tick in enumerate(ticks):
            since = process_time()
            state = comparison.advance(state, tick)
            fastest[i] = min(fastest[i], process_time() - since)
        advanced = process_time()
        report(state)
        reported = process_time()
        for _, baseline in sides:
            history = remember_tally(history, baseline, 1.0)
        best["remember"] = min(best["remember"], (process_time() - reported) / TICKS)
        best["report"] = min(best["report"], reported - advanced)
        best["counts of tallies"] = min(best["counts of tallies"], (made - began) / TICKS)
    best["advance"] = sum(fastest) / TICKS
    for said, seconds in best.items():
        print(f"{said:20s} {seconds * 1000:6.3f} ms")
    seven = np.ones(7)
    unit = min(timeit.repeat(lambda: seven * seven, number=10_000, repeat=9)) / 10_000 * 1e6
    print(f"{'(one product of 7)':20s} {unit:6.2f} us: about 0.5 on an idle machine of 2024")
    sys.exit(best["advance"] * 1000 > TARGET * max(1.0, unit / 0.6))


if __name__ == "__main__":
    main()
