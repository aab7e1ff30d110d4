"""Our comparison in the simulated world: the very code of the product, with hundreds of rollouts on its front axis.

A tick is a second. What a tick decides is in force in the next one; a rollback takes `ACT` more, in which the fault goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache

import numpy as np

from benchmarks.simulation.follow import Following, Look, follow
from benchmarks.simulation.plan import SimPlan
from benchmarks.simulation.scenario import Onset, Scenario, without_fault
from benchmarks.simulation.world import _EDGES, OUTAGE_SECONDS, SideSecond, World, slower_share
from tidegate.core import clusters as bursts
from tidegate.core import comparison, power
from tidegate.core.budget import Pace
from tidegate.core.clusters import Clusters
from tidegate.core.compare_file import CompareFile
from tidegate.core.comparison_input import Counts, Tick
from tidegate.core.comparison_settings import Settings
from tidegate.core.evalue import Array, Flags
from tidegate.core.exposure import WHOLE
from tidegate.core.history import DAY, History
from tidegate.core.latency_comparison import Shift, at, quantile_edges, slower_than
from tidegate.core.mixture import Prior
from tidegate.engine.comparing import ACT

LEARNING = 1200
RARE = 0.06
"""Errors a second below which twenty minutes says nothing about bursts."""
OLD = 2.0
"""How many seconds the candidate's tasks are old when the first users come: their checks take about as long."""
COLD = CompareFile().warmup.total_seconds() - OLD
LONGEST = 2.5
"""A rollout that takes so much longer than its plan says has not finished."""


@dataclass
class Result:
    """Of each rollout: when it was found bad (NaN: never), harmed requests, how long it took, how long it was held."""

    found: Array
    harmed: Array
    seconds: Array
    held: Array
    exposed: Array
    highest: Array  # ln E at its highest
    why: Array  # the part that weighed most when it was found, in the order of `State.log_parts`
    completed: Array

    @classmethod
    def blank(cls, rollouts: int) -> Result:
        return cls(np.full(rollouts, np.nan), *(np.zeros(rollouts) for _ in range(7)))


def limits_of_interest(shift: Shift = Shift()) -> list[int]:  # noqa: B008
    edges = quantile_edges(expected_bins(1e9))
    near, far = shift.edges(edges)
    return [int(edge) for edge in np.concatenate([edges, near, far])]


def expected_bins(requests: float) -> Array:
    above = slower_share(_EDGES, np.ones(1))
    above[0] = 1.0
    counts: Array = requests * (above - np.append(above[1:], 0.0))
    return counts


def history_of(scenario: Scenario, rate: float, rollouts: int, seed: int) -> History:
    return _history_of(without_fault(scenario), rate, rollouts, seed)


@lru_cache(maxsize=128)
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
    day: int | None = None,
    settings: Settings = Settings(),  # noqa: B008
) -> Result:
    """Runs `rollouts` rollouts of this plan to their end or rollback. `day`: the seed of the last days that they remember."""
    history = history_of(scenario, rate, rollouts, seed + 1 if day is None else day)
    world = World(scenario, rate, rollouts, limits_of_interest(settings.shift), np.random.default_rng(seed))
    state = comparison.begin(settings, history, Prior(float(max(1, plan.seconds)), float(len(plan.plan.steps))))
    result, alive = Result.blank(rollouts), np.arange(rollouts)
    following = Following.begin(plan.plan, _opened(state, plan))
    outage_since, acting = np.full(rollouts, np.inf), np.zeros(rollouts, dtype=bool)
    for second in range(int(plan.seconds * LONGEST)):
        exposure = following.wanted(plan.plan) / WHOLE
        faulty, begins = _begun(scenario, plan, following, exposure)
        outage_since = np.where(begins, np.minimum(outage_since, second), outage_since)
        in_outage = (second < outage_since + OUTAGE_SECONDS) & (second >= outage_since) & bool(scenario.outage)
        traffic = world.next(exposure, faulty, in_outage)
        result.harmed[alive] += traffic.harmed
        result.exposed[alive] += traffic.candidate.begun
        result.seconds[alive] += 1
        warm = np.full(len(alive), second >= COLD)
        tick = Tick(counts(traffic.candidate), counts(traffic.baseline), 1.0, exposure, following.step, warm)
        state = comparison.advance(state, tick)
        held, bad = comparison.is_held(state), comparison.is_bad(state) & ~acting
        result.highest[alive] = np.maximum(result.highest[alive], state.log_e)
        result.found[alive[bad]] = second + 1
        result.why[alive[bad]] = (state.log_parts + state.log_weights)[bad].argmax(axis=-1)
        result.held[alive] += held & ~acting & ~bad
        # Who was found bad is gone after `ACT`; until then nothing moves.
        gone, acting = acting, acting | bad
        look = Look(held | acting, _lacks_data(state, following, plan), _opened(state, plan), comparison.is_not_worse(state))
        following = follow(following, plan.plan, look)
        result.completed[alive] = following.completed
        kept = ~(gone | following.completed)
        if not kept.all():
            alive, outage_since, acting = alive[kept], outage_since[kept], acting[kept]
            state, following = taken(state, kept), taken(following, kept)  # type: ignore[assignment]
            world.keep(kept)
        if not len(alive):
            break
    return result


def _opened(state: comparison.State, plan: SimPlan) -> Array:
    """What the harm budget opens; in whole ten-thousandths, and at least one, as the engine asks it of a router."""
    if plan.plan.harm is None:
        return np.zeros(state.log_e.shape)
    share = comparison.allowed_exposure(state, Pace(float(plan.plan.harm), 1.0, ACT))
    return np.maximum(np.floor(np.minimum(share, 1.0) * WHOLE + 1e-9), 1.0)


def _lacks_data(state: comparison.State, following: Following, plan: SimPlan) -> Flags:
    """Whether a step that would end now has not gathered what finds a fault of `must_see` (see `comparison_report`)."""
    holds = np.array([step.hold.total_seconds() for step in plan.plan.steps])[following.step.astype(int)]
    asked = (following.watched + 1 >= holds) & (state.exposure < 1)
    lacks = np.zeros(len(holds), dtype=bool)
    for i in np.flatnonzero(asked):
        share, phi, n_c = (float(part[i, 0]) for part in (state.plug_in.share, state.clusters.phi, state.this_step.n_c))
        lacks[i] = n_c < phi * _needed(float(f"{share:.2g}"), round(float(state.exposure[i]), 4), state.settings)
    return lacks


@lru_cache(maxsize=4096)
def _needed(share: float, exposure: float, settings: Settings) -> float:
    exposure = min(max(exposure, 1e-4), 0.9999)
    return power.needed(settings.must_see, share, (1 - exposure) / exposure, 1.0, settings)


def _begun(scenario: Scenario, plan: SimPlan, following: Following, exposure: Array) -> tuple[Flags, Flags]:
    """Whether the fault has begun, and whether the shared outage has: by watched time; where the plan is adaptive, and
    reaches the same exposures at other times, by exposure."""
    if plan.adaptive:
        return exposure >= {Onset.START: 0.0, Onset.MIDDLE: 0.5, Onset.LATE: 0.85}[scenario.onset], exposure >= 0.5
    holds = np.array([step.hold.total_seconds() for step in plan.plan.steps])
    index = following.step.astype(int)
    progress = (np.cumsum(holds) - holds)[index] + np.minimum(following.watched, holds[index])
    return progress >= plan.onset(scenario.onset), progress >= 0.4 * plan.seconds
