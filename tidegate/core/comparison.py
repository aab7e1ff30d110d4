"""A comparison decides at every look whether the candidate is worse than the baseline by more than a stated margin.

    state = begin(settings, history, prior)      when the rollout begins
    state = advance(state, tick)                 every tick in which both sides could be seen
    is_bad(state), comparison_report.report(state)

* P(rollback of a harmless candidate) <= alpha over the whole rollout, however often it looks: every part below is an
  e-process, their weighted average is one under any dependence, and E >= 1/alpha has probability alpha at most (Ville).
* Each outcome is compared with the baseline at the same moments (`evalue`, `mixture`), errors and latency also with the
  baseline's last day (`past_comparison`). Never multiplied, never pooled across blocks, never reset at a step.
* A block closes when both sides have a request: by counts only. One that is open when the exposure changes is discarded.
* Bets first, learns afterwards: what a block is judged by must come from before it.
* Nothing was seen: no bet, for the caller does not call. At 100 % only the last day is left to compare with.

Pure arrays: whatever axes the counts have in front are rollouts side by side, which is how the simulation runs thousands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tidegate.core import budget, clusters, early, mixture, overdue, past_comparison, plug_in, sample_ratio
from tidegate.core import comparison_settings as order
from tidegate.core.bound import surprise
from tidegate.core.budget import Around, Budget, Pace
from tidegate.core.clusters import Clusters
from tidegate.core.comparison_input import Counts, Tick
from tidegate.core.comparison_settings import BASE, LIMITS, Settings
from tidegate.core.evalue import Array, Block, Flags, Margin, Point, log_evalues
from tidegate.core.history import CALM, History
from tidegate.core.latency_comparison import ENOUGH, UNKNOWN, Limits, at, gather, seconds_at, shares_at, slower_than
from tidegate.core.mixture import NEVER, SIZES, Calendar, Prior, Stake
from tidegate.core.overdue import Overdue, Usual
from tidegate.core.past_comparison import Fresh, Past
from tidegate.core.plug_in import PlugIn
from tidegate.core.sample_ratio import SampleRatio

_RATE_MEMORY = 10.0
BUSY = 0.5
"""The exposure up to which the baseline is busy enough to compare latencies with it as they are."""
COLD = 5.0
"""How much slower a candidate may be while it warms up before its requests in flight count as hanging."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All that a comparison knows. The last axis of most arrays holds the outcomes, in the order of `Settings.names`."""

    settings: Settings
    prior: Prior
    calendar: Calendar
    exposure: Array
    step: Array
    limits: Limits
    plug_in: PlugIn
    clusters: Clusters
    open: Block
    open_far: Array
    log_m: Array  # the concurrent bets, sizes on the last axis
    log_r: Array  # the reversed ones
    usual: Array  # how often the baseline was slow at most while it had the larger half of the traffic; 0 for yes/no outcomes
    proven: Flags  # outcomes that these have shown to be not worse in this step
    past: Past
    overdue: Overdue
    ratio: SampleRatio
    budget: Budget
    total: Block
    this_step: Block
    seconds: Array  # watched in this step
    rate: Array  # requests a second of both sides, fading
    log_weights: Array  # of every outcome, then of every outcome's past
    log_parts: Array  # ln E of each of these
    log_e: Array
    outage: Flags


def begin(settings: Settings, history: History, prior: Prior) -> State:
    """`history` may be blank: then the baseline is learned on the way, and the last day says nothing."""
    shape = history.requests.shape
    many = (*shape, settings.outcomes)
    bins = np.zeros((*shape, 1 + len(settings.histograms), history.bins.shape[-1]))
    bins[..., 0, :] = history.bins
    limits = Limits.of(bins)
    sizes = _with_room(history.clusters, settings.outcomes)
    past = past_comparison.begin(history, limits.edges[..., 0, :], sizes.phi[..., :BASE], settings.past)
    nothing, zeros = Block(*(np.zeros(many) for _ in range(4))), np.zeros(many)
    return State(
        settings=settings,
        prior=prior,
        calendar=Calendar.blank(shape),
        exposure=np.full(shape, -1.0),
        step=np.full(shape, -1.0),
        limits=limits,
        plug_in=_from_history(settings, history, past, limits),
        clusters=sizes,
        open=nothing,
        open_far=np.zeros(many),
        log_m=np.full((*many, len(SIZES)), NEVER),
        log_r=np.zeros(many),
        usual=np.concatenate([zeros[..., :1], np.where(past.known, past.share, 0.0)[..., 1:], zeros[..., BASE:]], axis=-1),
        proven=np.zeros(many, dtype=bool),
        past=past,
        overdue=Overdue.blank(shape),
        ratio=SampleRatio.blank(shape),
        budget=Budget.blank(np.minimum(_overdue_after(limits, settings, COLD), settings.budget.longest)),
        total=nothing,
        this_step=nothing,
        seconds=np.zeros(shape),
        rate=history.rate,
        log_weights=order.log_weights(settings, past.known),
        log_parts=np.zeros((*shape, settings.outcomes + BASE)),
        log_e=np.zeros(shape),
        outage=np.zeros(shape, dtype=bool),
    )


def _with_room(history: Clusters, outcomes: int) -> Clusters:
    """The history's clusters, and blank ones for users' own metrics. The second that was open is dropped."""
    blank = Clusters.blank((*history.n.shape[:-2], outcomes))
    for name in ("local_n", "local_e", "squares", "expected"):
        getattr(blank, name)[..., :BASE] = getattr(history, name)
    return blank


def _from_history(settings: Settings, history: History, past: Past, limits: Limits) -> PlugIn:
    """Five minutes' worth of the last day."""
    worth = np.minimum(history.requests, history.rate * settings.half_life / np.log(2))[..., None]
    blank = np.zeros((*history.requests.shape, settings.outcomes))
    n, e, far = blank.copy(), blank.copy(), blank
    n[..., :BASE], e[..., :BASE] = worth, worth * past.share
    far[..., 0] = e[..., 0]
    far[..., 1:BASE] = worth * shares_at(history.bins, settings.shift.edges(limits.edges[..., 0, :])[1])
    return PlugIn(n, e, far)


def advance(state: State, tick: Tick) -> State:
    """The state after one tick."""
    settings = state.settings
    changed, stepped = tick.exposure != state.exposure, tick.step != state.step
    calendar, log_omega = mixture.spend(state.prior, state.calendar, changed)
    state = _learn_limits(state, tick.baseline)
    share, phi = state.plug_in.share, state.clusters.phi
    patience = np.where(tick.warm, 1.0, COLD)
    slow = Usual(_overdue_after(state.limits, settings, patience), state.limits.mean[..., 0] * patience)
    late, grown = _look_for_overdue(state, tick, slow)
    fresh, far = _outcomes(state, tick, grown)
    block = _add(state.open, fresh, changed)
    block_far = np.where(changed[..., None], 0.0, state.open_far) + far.c
    closed = (block.n_c >= 1) & (block.n_b >= 1)
    sure = _cleaned(block)
    usual = _usual(state, share, tick.exposure)
    sure, b1 = _busy_as_usual(sure, share, usual, tick.exposure)
    left = calendar.log_left[..., None]
    log_m, log_r = _bet(state, sure, block_far, b1, Stake(closed, phi, log_omega))
    now = _for_the_past(fresh, share, phi, tick, caution=settings.past.caution)
    past = past_comparison.bet(state.past, now, log_omega, order.margin(settings)[1][:BASE], settings.past)
    past, log_past = past_comparison.judge(past, now, left, settings.log_limit, settings.past)
    log_parts = np.concatenate([mixture.log_evidence(log_m, left), log_past], axis=-1)
    ratio = sample_ratio.observe(
        state.ratio, tick.candidate.begun, tick.baseline.begun, tick.exposure, changed=changed, settings=settings.sample
    )
    seen = _seen_to_end(PlugIn(fresh.n_b, fresh.e_b, far.b), tick)
    calm = ~state.past.known[..., :1] | (surprise(seen.e / phi, seen.n * share / phi)[..., :1] < CALM)
    return replace(
        state,
        calendar=calendar,
        exposure=tick.exposure,
        step=tick.step,
        open=_add(block, _NOTHING, closed),
        open_far=np.where(closed, 0.0, block_far),
        log_m=log_m,
        log_r=log_r,
        usual=usual,
        proven=early.prove(state.proven & ~stepped[..., None], log_r, settings.early),
        past=past,
        overdue=late,
        ratio=ratio,
        total=_add(state.total, fresh),
        this_step=_add(state.this_step, fresh, stepped),
        seconds=np.where(stepped, 0.0, state.seconds) + tick.span,
        log_parts=log_parts,
        log_e=np.logaddexp.reduce(log_parts + state.log_weights, axis=-1),
        outage=past_comparison.outage(past, phi[..., :BASE], settings.past),
        plug_in=plug_in.learn(state.plug_in, seen, tick.span, settings.half_life),
        clusters=clusters.observe(state.clusters, seen.n, np.maximum(seen.e, 0.0), tick.span, calm=calm),
        budget=_spent(state, tick, late, grown[..., 0], slow.limit),
        rate=_rate(state.rate, tick),
    )


# --- What it says ---------------------------------------------------------------------------------------------------


def is_bad(state: State) -> Flags:
    """E >= 1/alpha."""
    return np.asarray(state.log_e >= state.settings.log_limit)


def is_suspected(state: State) -> Flags:
    """E >= sqrt(1/alpha): the exposure does not grow."""
    return np.asarray(state.log_e >= state.settings.log_limit / 2)


def is_mismatch(state: State) -> Flags:
    """The candidate gets another share of the requests than it should."""
    return np.asarray(state.ratio.log_e >= state.settings.log_limit)


def is_held(state: State) -> Flags:
    """The exposure must not grow: suspicion, a shared outage, or a wrong split."""
    return is_suspected(state) | state.outage | is_mismatch(state)


def is_not_worse(state: State) -> Flags:
    """The step may end early: nothing is worse by the margins of `early`, and nothing is held."""
    return np.asarray(state.proven.all(axis=-1)) & ~is_held(state)


def allowed_exposure(state: State, pace: Pace) -> Array:
    """What the harm budget allows now (0..1), and never less than what is already let in: users must not flip."""
    free = budget.allowed(state.budget, around(state), pace, state.settings.budget)
    exposed = np.maximum(state.exposure, 0.0)
    return np.where(is_held(state), exposed, np.maximum(free, exposed))


def around(state: State) -> Around:
    """What the harm budget reckons with."""
    rho, delta = order.margin(state.settings)
    harmless = rho[0] * state.plug_in.share[..., 0] + delta[0]
    return Around(harmless, state.clusters.phi[..., 0], state.rate)


# --- Its parts ------------------------------------------------------------------------------------------------------

_NOTHING = Block(*(np.zeros(()) for _ in range(4)))


def _add(block: Block, fresh: Block, anew: Flags | None = None) -> Block:
    """Both together; only what is fresh where the block begins anew (a last axis is added when it has none)."""
    if anew is None:
        return Block(block.n_c + fresh.n_c, block.e_c + fresh.e_c, block.n_b + fresh.n_b, block.e_b + fresh.e_b)
    kept = 1.0 - (anew if anew.ndim == block.n_c.ndim else anew[..., None])
    return Block(
        block.n_c * kept + fresh.n_c, block.e_c * kept + fresh.e_c, block.n_b * kept + fresh.n_b, block.e_b * kept + fresh.e_b
    )


def _cleaned(block: Block) -> Block:
    """Overdue requests that ended may leave a block with fewer bad ones than none."""
    return Block(block.n_c, _within(block.e_c, block.n_c), block.n_b, _within(block.e_b, block.n_b))


def _within(e: Array, n: Array) -> Array:
    return np.minimum(np.maximum(e, 0.0), n)


def _bet(state: State, block: Block, far_c: Array, b1: Array, stake: Stake) -> tuple[Array, Array]:
    """The concurrent bets after this block, and the reversed ones, which count how many were far beyond the limits."""
    settings, (rho, delta) = state.settings, order.margin(state.settings)
    worse = mixture.wager(block.e_c, b1, Margin(rho, delta))
    if not settings.proves:
        return mixture.settle(state.log_m, worse, log_evalues(block, b1, rho, [worse])[0], stake), state.log_r
    healthy = early.wager(_within(far_c, block.n_c), state.plug_in.far_share, b1, settings.early, rho=rho)
    won, turned = log_evalues(block, b1, rho, [worse, healthy])
    log_m = mixture.settle(state.log_m, worse, won, stake)
    return log_m, early.settle(state.log_r, healthy, turned, stake, settings.early)


def _usual(state: State, share: Array, exposure: Array) -> Array:
    """Learned while the baseline is as busy as it was before the rollout, or nearly."""
    learns = (exposure <= BUSY)[..., None] & (order.is_share(state.settings) == 0)
    return np.where(learns, np.maximum(state.usual, share), state.usual)


def _busy_as_usual(block: Block, b1: Array, usual: Array, exposure: Array) -> tuple[Block, Array]:
    """A baseline that has lost most of its users is faster than it was, and would blame a healthy candidate for being busy.

    From then on it counts as slow as usual, where it is less. Raising what the baseline did wrong only lowers the evidence.
    """
    idle = (exposure > BUSY)[..., None]
    slow = np.where(idle, np.maximum(block.e_b, block.n_b * usual), block.e_b)
    return Block(block.n_c, block.e_c, block.n_b, slow), np.where(idle, np.maximum(b1, usual), b1)


def _learn_limits(state: State, baseline: Counts) -> State:
    """Reads the limits of a histogram as soon as there is enough of it, and lets the plug-in begin at their shares."""
    if state.limits.known.all():
        return state
    limits = gather(state.limits, baseline.bins)
    new = limits.known & ~state.limits.known
    if not new.any():
        return replace(state, limits=limits)
    bins = state.limits.bins + baseline.bins
    near = shares_at(bins, limits.edges) * ENOUGH
    far = shares_at(bins, state.settings.shift.edges(limits.edges)[1]) * ENOUGH
    seed = PlugIn(*(_in_order(state.settings, part, 0.0) for part in (np.full(near.shape, ENOUGH), near, far)))
    now = _in_order(state.settings, np.broadcast_to(new[..., None], near.shape), 0.0) > 0
    return replace(state, limits=limits, plug_in=plug_in.learned_at(state.plug_in, seed, now))


def _in_order(settings: Settings, limits: Array, shares: Array | float) -> Array:
    """One row of outcomes from what is known of each histogram's limits, and of errors and users' yes/no metrics."""
    head = limits.shape[:-2]
    yes_no = shares if isinstance(shares, np.ndarray) else np.full((*head, 1 + len(settings.shares)), shares)
    if not settings.histograms:
        return np.concatenate([yes_no[..., :1], limits[..., 0, :], yes_no[..., 1:]], axis=-1)
    own = limits[..., 1:, :].reshape(*head, -1)
    return np.concatenate([yes_no[..., :1], limits[..., 0, :], yes_no[..., 1:], own], axis=-1)


def _overdue_after(limits: Limits, settings: Settings, patience: Array | float) -> Array:
    """Seconds until a request counts as overdue."""
    slowest = seconds_at(settings.shift.edges(limits.edges[..., 0, -1])[0])
    after: Array = np.where(limits.known[..., 0], slowest, UNKNOWN) * patience
    return after


def _look_for_overdue(state: State, tick: Tick, usual: Usual) -> tuple[Overdue, Array]:
    begun = _before(tick.candidate.begun, tick.baseline.begun[..., None])
    finished = _before(tick.candidate.finished, tick.baseline.finished[..., None])
    return overdue.observe(state.overdue, begun, finished, tick.span, usual)


def _outcomes(state: State, tick: Tick, grown: Array) -> tuple[Block, Point]:
    """This tick's counts of every outcome, and how many of each side were far beyond the limits.

    Overdue requests are slow ones. While the candidate warms up its slowness does not count, and so they are failed ones.
    """
    sides, own = (tick.candidate, tick.baseline), state.limits.edges
    near, far = state.settings.shift.edges(own)
    slower = slower_than(np.array([side.bins for side in sides])) * (state.limits.known & tick.warm[..., None])[..., None]
    late = _first_of(grown * tick.warm[..., None], own.shape[-2])
    edges = np.array([np.concatenate([near, far], axis=-1), np.concatenate([own, far], axis=-1)])
    reached = at(slower, edges) + late
    hanging = grown * ~tick.warm[..., None]
    # Of each side: those that were tried and those that failed, of all requests and of users' own metrics.
    counted = [(side, hanging[..., i] - side.repeats) for i, side in enumerate(sides)]
    tried = np.array([_before(side.finished + extra, side.tried) for side, extra in counted])
    bad = np.array([_before(side.failed + extra, side.bad) for side, extra in counted])
    n_c, n_b = _in_order(state.settings, np.repeat(slower[..., :1] + late, LIMITS, axis=-1), tried)
    e_c, e_b = _in_order(state.settings, reached[..., :LIMITS], bad)
    far_c, far_b = _in_order(state.settings, reached[..., LIMITS:], bad)
    return Block(n_c, e_c, n_b, e_b), Point(far_c, far_b)


def _before(first: Array, others: Array) -> Array:
    """One more on the last axis."""
    return np.concatenate([first[..., None], others], axis=-1)


def _first_of(grown: Array, histograms: int) -> Array:
    """Sides first, then a row for each histogram: only latency, the first of them, knows of overdue requests."""
    late = np.zeros((2, *grown.shape[:-1], histograms, 1))
    for side in range(2):
        late[side, ..., 0, 0] = grown[..., side]
    return late


def _for_the_past(fresh: Block, b1: Array, phi: Array, tick: Tick, *, caution: float) -> Fresh:
    wide = 1 + caution * (phi - 1)
    parts = (fresh.n_c, fresh.e_c, fresh.n_b, fresh.e_b, b1, wide)
    n_c, e_c, n_b, e_b, recent, size = (part[..., :BASE] for part in parts)
    return Fresh(n_c, e_c, n_b, e_b, recent, size, alone=tick.exposure >= 1, span=tick.span)


def _seen_to_end(baseline: PlugIn, tick: Tick) -> PlugIn:
    """What hangs is bet on, and teaches nothing about errors: on a slow machine hundreds are in flight, and then are not."""
    n, e = baseline.n.copy(), baseline.e.copy()
    n[..., 0] = tick.baseline.finished - tick.baseline.repeats
    e[..., 0] = tick.baseline.failed - tick.baseline.repeats
    return PlugIn(n, e, baseline.far)


def _spent(state: State, tick: Tick, late: Overdue, overdue_c: Array, wait: Array) -> Budget:
    """What the tick cost. The harm budget waits for an answer, and no longer than it says."""
    done, lost = tick.candidate.finished, tick.candidate.failed
    return Budget(
        np.maximum(state.budget.requests + done + overdue_c, 0.0),
        np.maximum(state.budget.lost + lost + overdue_c, 0.0),
        overdue.pending(late, tick.span, state.limits.mean[..., 0])[..., 0],
        np.minimum(wait, state.settings.budget.longest),
    )


def _rate(rate: Array, tick: Tick) -> Array:
    kept = float(np.exp(-tick.span / _RATE_MEMORY))
    began = (tick.candidate.begun + tick.baseline.begun) / tick.span
    return np.where(rate > 0, rate * kept + began * (1 - kept), began)
