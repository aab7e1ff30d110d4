"""A small world for the tests of the comparison: steady traffic, one second a tick, of one rollout."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tidegate.core import comparison
from tidegate.core.comparison import State
from tidegate.core.comparison_input import Counts, Outcomes, Tick
from tidegate.core.comparison_settings import Settings
from tidegate.core.evalue import Array, Block, Margin, log_evalues
from tidegate.core.exposure import Exposure
from tidegate.core.history import History, remember_tally
from tidegate.core.latency import Latencies
from tidegate.core.mixture import Prior, Stake, settle, wager
from tidegate.core.tally import Tally


def bet(log_m: Array, block: Block, b1: Array, margin: Margin, stake: Stake) -> Array:
    """One block of the concurrent comparison by itself."""
    made = wager(block.e_c, b1, margin)
    return settle(log_m, made, log_evalues(block, b1, margin.rho, [made])[0], stake)


@dataclass
class Traffic:
    """`rate` requests a second. Shares of failures and hangs and a factor on latency, for each side."""

    rate: float = 100.0
    candidate: float = 0.001
    baseline: float = 0.001
    slower: float = 1.0
    hangs: float = 0.0
    base_slower: float = 1.0
    seed: int = 1
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def tally(self, share: float, failing: float, slower: float, hangs: float = 0.0, span: float = 1.0) -> Tally:
        begun = int(self.rng.poisson(self.rate * share * span))
        finished = begun - int(self.rng.binomial(begun, hangs))
        failed = int(self.rng.binomial(finished, failing))
        return Tally(begun, finished, failed, Latencies.of(50_000 * slower * self.rng.lognormal(0, 0.5, finished)))

    def tick(self, settings: Settings, exposure: float, step: int = 0, *, span: float = 1.0, warm: bool = True) -> Tick:
        candidate = self.tally(exposure, self.candidate, self.slower, self.hangs, span)
        baseline = self.tally(1 - exposure, self.baseline, self.base_slower, 0.0, span)
        return Tick.of(
            Counts.of(settings, candidate),
            Counts.of(settings, baseline),
            span=span,
            exposure=Exposure(round(exposure * 10_000)),
            step=step,
            warm=warm,
        )


NO_OUTCOMES = Outcomes({}, {})


def a_day(seconds: int = 300, **traffic: float) -> History:
    """What the history knows after some minutes of a healthy baseline."""
    slower = traffic.pop("slower", 1.0)
    world, history = Traffic(seed=99, **traffic), History.blank()  # type: ignore[arg-type]
    for _ in range(seconds):
        history = remember_tally(history, world.tally(1.0, world.baseline, slower), 1.0)
    return history


def begun(history: History | None = None, settings: Settings | None = None, ticks: int = 540) -> State:
    return comparison.begin(settings or Settings(), history or History.blank(), Prior(ticks, 9))


def run(state: State, traffic: Traffic, seconds: int, exposure: float = 0.1, *, until_bad: bool = True, **tick: float) -> State:
    for _ in range(seconds):
        state = comparison.advance(state, traffic.tick(state.settings, exposure, **tick))  # type: ignore[arg-type]
        if until_bad and comparison.is_bad(state):
            break
    return state
