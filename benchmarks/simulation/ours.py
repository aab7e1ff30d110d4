"""Our comparison in the simulated world: the very code of the product, with thousands of rollouts on its front axis."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache

import numpy as np

from benchmarks.simulation.plan import SimPlan
from benchmarks.simulation.scenario import Onset, Scenario, without_fault
from benchmarks.simulation.world import _EDGES, OUTAGE_SECONDS, SideSecond, World, slower_share
from tidegate.core import clusters as bursts
from tidegate.core import comparison
from tidegate.core.budget import Pace
from tidegate.core.clusters import Clusters
from tidegate.core.comparison_input import Counts, Tick
from tidegate.core.comparison_settings import Settings
from tidegate.core.evalue import Array
from tidegate.core.history import DAY, History
from tidegate.core.latency_comparison import Shift, at, quantile_edges, slower_than
from tidegate.core.mixture import Prior

LEARNING = 1200
RARE = 0.06
"""Errors a second below which twenty minutes says nothing about bursts."""
ACT = 1.0


@dataclass
class Result:
    """Of each rollout: when it was found bad (NaN: never), harmed requests, how long it took, whether it was ever held."""

    found: Array
    harmed: Array
    seconds: Array
    held: Array
    exposed: Array
    highest: Array  # ln E at its highest
    why: Array  # the part that weighed most when it was found, in the order of `State.log_parts`


def limits_of_interest(shift: Shift = Shift()) -> list[int]:  # noqa: B008
    edges = quantile_edges(expected_bins(1e9))
    near, far = shift.edges(edges)
    return [int(edge) for edge in np.concatenate([edges, near, far])]


def expected_bins(requests: float) -> Array:
    above = slower_share(_EDGES, np.ones(1))
    above[0] = 1.0
    return requests * (above - np.append(above[1:], 0.0))


def history_of(scenario: Scenario, rate: float, rollouts: int, seed: int) -> History:
    return _history_of(without_fault(scenario), rate, rollouts, seed)


@lru_cache(maxsize=16)
def _history_of(calm: Scenario, rate: float, rollouts: int, seed: int) -> History:
    """A day of the baseline: twenty minutes of it second by second, for the clusters; the rest as totals."""
    rng = np.random.default_rng(seed)
    world = World(calm, rate, rollouts, limits_of_interest(), rng)
    blank = History.blank((rollouts,))
    edges = np.broadcast_to(quantile_edges(expected_bins(1e9)), (rollouts, 5))
    learned, errors = blank.clusters, np.zeros(rollouts)
    nobody = np.zeros(rollouts, dtype=bool)
    for _ in range(LEARNING):
        side = world.next(np.zeros(rollouts), nobody, nobody).baseline
        slow = at(slower_than(side.bins), edges)
        n = np.concatenate([side.finished[:, None], np.broadcast_to(side.finished[:, None], slow.shape)], axis=1)
        e = np.concatenate([side.failed[:, None], slow], axis=1)
        learned = bursts.observe(learned, n, e, 1.0, calm=np.ones((rollouts, 1), dtype=bool))
        errors += side.failed
    if calm.errors * rate < RARE:
        learned = _learned_of_rare_errors(learned, calm, rate, rng)
    rest = rng.poisson((calm.errors + calm.heavy) * rate * (DAY - LEARNING) / calm.burst, rollouts) * calm.burst
    requests = np.full(rollouts, rate * DAY)
    return History(
        seconds=np.full(rollouts, DAY),
        requests=requests,
        errors=errors + rest,
        bins=np.broadcast_to(expected_bins(rate * DAY), blank.bins.shape).copy(),
        clusters=learned,
        edges=edges.copy(),
        since=0.0,
    )


def _learned_of_rare_errors(learned: Clusters, calm: Scenario, rate: float, rng: np.random.Generator) -> Clusters:
    """What a day teaches of bursts that come minutes apart: sums over the bursts themselves, for there is no local mean."""
    bursts_a_day = rng.poisson(rate * calm.errors * DAY / calm.burst, len(learned.n))
    for i, count in enumerate(bursts_a_day):
        sizes = rng.geometric(1 / calm.burst, count)
        seconds = rng.multinomial(sizes, np.full(calm.burst_seconds, 1 / calm.burst_seconds)) if count else np.zeros((0, 1))
        learned.squares[i, :, 0] = (seconds**2).sum(), (sizes**2).sum()
        learned.expected[i, :, 0] = sizes.sum()
    return learned


def counts(side: SideSecond) -> Counts:
    none = np.zeros((len(side.begun), 0))
    return Counts(side.begun, side.finished, side.failed, side.repeats, side.bins[:, None, :], none, none)


def taken(thing: object, kept: np.ndarray) -> object:
    """The same state with these rollouts only."""
    if isinstance(thing, np.ndarray):
        return thing[kept]
    if is_dataclass(thing) and not isinstance(thing, (Settings, Prior)):
        changed = {f.name: taken(getattr(thing, f.name), kept) for f in fields(thing) if f.name != "spans"}
        return replace(thing, **changed)  # type: ignore[type-var]
    return thing


def simulate(
    scenario: Scenario,
    plan: SimPlan,
    rate: float,
    *,
    rollouts: int,
    seed: int,
    settings: Settings = Settings(),  # noqa: B008
) -> Result:
    """Runs `rollouts` rollouts of this plan to their end or rollback."""
    history = history_of(scenario, rate, rollouts, seed + 1)
    world = World(scenario, rate, rollouts, limits_of_interest(settings.shift), np.random.default_rng(seed))
    prior = Prior(planned_ticks=plan.seconds, planned_changes=len(plan.steps))
    state = comparison.begin(settings, history, prior)
    result = Result(*(np.full(rollouts, np.nan) if i == 0 else np.zeros(rollouts) for i in range(7)))
    alive = np.arange(rollouts)
    step, entered = np.zeros(rollouts), np.zeros(rollouts)
    exposure = np.full(rollouts, plan.steps[0])
    if plan.adaptive:
        exposure = np.minimum(exposure, _opened(state, plan, rate))
    outage_since = np.full(rollouts, np.inf)
    onset = plan.onset(scenario.onset)
    acting = np.zeros(rollouts, dtype=bool)
    for second in range(int(plan.seconds * 1.5)):
        faulty = np.full(len(alive), second >= onset) if not plan.adaptive else _begun(scenario, exposure)
        begins = exposure >= 0.5 if plan.adaptive else np.full(len(alive), second >= plan.seconds * 0.4)
        outage_since = np.where(begins, np.minimum(outage_since, second), outage_since)
        in_outage = (second < outage_since + OUTAGE_SECONDS) & (second >= outage_since) & bool(scenario.outage)
        traffic = world.next(exposure, faulty, in_outage)
        result.harmed[alive] += traffic.harmed
        result.exposed[alive] += traffic.candidate.begun
        result.seconds[alive] += 1
        done = acting | ((step > len(plan.steps) - 1) & (second + 1 - entered >= plan.bake))
        tick = Tick(counts(traffic.candidate), counts(traffic.baseline), 1.0, exposure, step, np.full(len(alive), True))
        state = comparison.advance(state, tick)
        result.highest[alive] = np.maximum(result.highest[alive], state.log_e)
        bad = comparison.is_bad(state) & ~acting
        result.found[alive[bad]] = second + 1
        result.why[alive[bad]] = (state.log_parts + state.log_weights)[bad].argmax(axis=-1)
        result.held[alive] = np.maximum(result.held[alive], comparison.is_held(state))
        acting = acting | bad
        leaves = (second + 1 - entered >= plan.hold) & ~state.outage & ~comparison.is_mismatch(state)
        if plan.adaptive:
            leaves |= (second + 1 - entered >= plan.least) & comparison.is_not_worse(state)
            leaves &= ~comparison.is_suspected(state)
        leaves &= ~acting & (step <= len(plan.steps) - 1)
        step, entered = step + leaves, np.where(leaves, second + 1, entered)
        wanted = np.append(np.array(plan.steps), 1.0)[np.minimum(step, len(plan.steps)).astype(int)]
        if plan.adaptive:
            wanted = np.where(step >= len(plan.steps), wanted, np.minimum(wanted, _opened(state, plan, rate)))
        exposure = np.where(acting, exposure, np.maximum(wanted, exposure))
        if done.any():
            kept = ~done
            alive, step, entered, exposure, acting = alive[kept], step[kept], entered[kept], exposure[kept], acting[kept]
            outage_since = outage_since[kept]
            state = taken(state, kept)  # type: ignore[assignment]
            world.keep(kept)
        if not len(alive):
            break
    return result


def _opened(state: comparison.State, plan: SimPlan, rate: float) -> Array:
    """What the harm budget opens; in whole ten-thousandths, as every exposure."""
    share = comparison.allowed_exposure(state, Pace(plan.harm, 1.0, ACT))
    if not state.rate.any():
        share = np.minimum(share, plan.harm / (rate * 2))
    return np.maximum(np.floor(share * 10_000) / 10_000, 0.0001)


def _begun(scenario: Scenario, exposure: Array) -> np.ndarray:
    """Adaptive plans reach the same exposures at other times: faults of the middle begin when half is exposed."""
    share = {Onset.START: 0.0, Onset.MIDDLE: 0.5, Onset.LATE: 0.85}[scenario.onset]
    return exposure >= share
