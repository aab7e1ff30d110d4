"""The least that any rule can harm: Wald's bound, as COMPARISON.md section 5 applies it.

A rule that is wrong with probability alpha and surely stops a bad version needs on average

    ln(1/alpha) / min_b [KL(p1 || rho b + delta) + (n_b/n_c) KL(p0 || b)]

requests of the candidate when a concurrent baseline is all that it has. Add a second to act. Where the exposure grows
meanwhile, the information of every second is added up until it suffices. Less than one tick of traffic cannot be seen.
"""

from __future__ import annotations

import numpy as np

from benchmarks.simulation.plan import SimPlan
from benchmarks.simulation.scenario import Scenario
from tidegate.core.evalue import Block, Margin, Point, log_evalue, project

MARGIN = Margin(1.25, 0.001)


def information(p1: float, p0: float, exposure: float, margin: Margin = MARGIN) -> float:
    """Per request of the candidate, in nats."""
    p1, p0 = min(p1, 1 - 1e-9), max(p0, 1e-9)
    if exposure >= 1 or p1 <= margin.edge(np.asarray(p0)):
        return 0.0
    ratio = (1 - exposure) / exposure
    block = Block(*(np.asarray(x) for x in (1.0, p1, ratio, ratio * p0)))
    toward = Point(np.asarray(p1), np.asarray(p0))
    return float(log_evalue(block, toward, project(block, toward, margin)))


def floor(scenario: Scenario, plan: SimPlan, rate: float, *, alpha: float = 0.001, act: float = 1.0) -> float | None:
    """Requests that the best rule harms on average; None where it never has enough."""
    p0 = scenario.errors
    p1 = p0 + (1 - p0) * scenario.fault
    schedule = plan.schedule()
    needed, gathered, requests = np.log(1 / alpha), 0.0, 0.0
    for second in range(int(plan.onset(scenario.onset)), len(schedule)):
        exposure = float(schedule[second])
        bits = information(p1, p0, exposure)
        arriving = rate * exposure
        if bits > 0 and gathered + bits * arriving >= needed:
            part = (needed - gathered) / (bits * arriving)
            # What cannot be split: the tick in which it is decided, and requests themselves.
            seen = requests + max(part * arriving, arriving if requests == 0 else 0.0)
            return float((max(seen, 1.0) + arriving * act) * (p1 - p0))
        gathered, requests = gathered + bits * arriving, requests + arriving
    return None
