"""What a comparison says to people: a standing, one sentence with its figures, and what is missing.

firing          worse by more than the margin: roll back
held            something is wrong that need not be the candidate's: do not grow into it
no_data         it was looked at, and the step has not yet shown what it should show
not_applicable  there is no baseline left to compare with
ok              it was looked at well enough, and nothing is wrong
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tidegate.core import budget, comparison, power
from tidegate.core.comparison import State
from tidegate.core.comparison_settings import BASE, LIMITS, Settings
from tidegate.core.evidence import say_evidence
from tidegate.core.latency_comparison import seconds_at

UNENDING = 1e9
"""Requests: no number of them would do."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One outcome over the whole rollout. `evidence` is E of the concurrent comparison, `past` that of the last day's."""

    name: str
    candidate_requests: int
    candidate_bad: int
    baseline_requests: int
    baseline_bad: int
    evidence: float
    past: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """`standing` is one of the words above. `limit` is 1/alpha. `detectable`: the smallest fault that this step has found by
    now with probability 0.9; `missing`: about how many more requests of the candidate the step needs for `must_see`."""

    standing: str
    sentence: str
    evidence: float
    limit: float
    suspected: bool
    not_worse: bool
    outage: bool
    mismatch: bool
    detectable: float | None
    missing: int
    excess: float
    figures: tuple[Figure, ...]


def standing(state: State) -> str:
    """How it stands, without the words: this is asked at every tick."""
    if comparison.is_bad(state):
        return "firing"
    if comparison.is_held(state):
        return "held"
    if state.exposure >= 1:
        return "not_applicable"
    return "no_data" if _missing(state) else "ok"


def report(state: State) -> Report:
    """Of one rollout (a state without front axes)."""
    n_c, n_b = float(state.this_step.n_c[0]), float(state.this_step.n_b[0])
    seen = power.detectable(n_c, n_b, float(state.plug_in.share[0]), float(state.clusters.phi[0]), state.settings)
    missing, figures = _missing(state), _figures(state)
    return Report(
        standing=standing(state),
        sentence=_sentence(state, figures, seen, missing),
        evidence=_exp(float(state.log_e)),
        limit=1 / state.settings.alpha,
        suspected=bool(comparison.is_suspected(state)),
        not_worse=bool(comparison.is_not_worse(state)),
        outage=bool(state.outage),
        mismatch=bool(comparison.is_mismatch(state)),
        detectable=seen,
        missing=missing,
        excess=float(budget.excess(state.budget, comparison.around(state), state.settings.budget)),
        figures=figures,
    )


def _sentence(state: State, figures: tuple[Figure, ...], seen: float | None, missing: int) -> str:
    if comparison.is_bad(state):
        return _why(state, figures)
    if comparison.is_mismatch(state):
        return _mismatch(state)
    if state.outage:
        return _outage(state)
    if comparison.is_suspected(state):
        return _suspicion(state, figures)
    if state.exposure >= 1:
        return "at 100% there is no baseline left to compare with"
    return _too_little(state, seen, missing) if missing else _well(seen)


def _figures(state: State) -> tuple[Figure, ...]:
    total, parts = state.total, state.log_parts
    count = state.settings.outcomes
    return tuple(
        Figure(
            name=name,
            candidate_requests=_whole(total.n_c[i]),
            candidate_bad=_whole(total.e_c[i]),
            baseline_requests=_whole(total.n_b[i]),
            baseline_bad=_whole(total.e_b[i]),
            evidence=_exp(float(parts[i])),
            past=_exp(float(parts[count + i])) if i < BASE and state.log_weights[count + i] > -100 else None,
        )
        for i, name in enumerate(state.settings.names)
    )


def _whole(count: float) -> int:
    """Overdue requests that end may take a count below nothing for a moment."""
    return max(0, round(count))


def _exp(log: float) -> float:
    return math.exp(min(log, 700.0))


def _missing(state: State) -> int:
    """About how many more requests of the candidate this step needs. Shares and clusters to two digits will do for that."""
    exposure = min(max(float(state.exposure), 1e-4), 0.9999)
    share, phi = (float(f"{value:.2g}") for value in (state.plug_in.share[0], state.clusters.phi[0]))
    return math.ceil(max(0.0, _needed(share, (1 - exposure) / exposure, phi, state.settings) - float(state.this_step.n_c[0])))


@lru_cache(maxsize=1024)
def _needed(share: float, ratio: float, phi: float, settings: Settings) -> float:
    return min(power.needed(settings.must_see, share, ratio, phi, settings), UNENDING)


# --- Sentences ------------------------------------------------------------------------------------------------------


def _why(state: State, figures: tuple[Figure, ...]) -> str:
    """The part that weighs most, with its counts."""
    strongest = int(np.argmax(state.log_parts + state.log_weights))
    past = strongest >= state.settings.outcomes
    index = strongest - state.settings.outcomes if past else strongest
    figure = figures[index]
    compared = (
        f"the last day knows {say_share(float(state.past.share[index]))}"
        if past
        else f"{figure.baseline_bad:,} of {figure.baseline_requests:,} "
        f"({_of(figure.baseline_bad, figure.baseline_requests)}) on the baseline"
    )
    return (
        f"{figure.name}: {figure.candidate_bad:,} of {figure.candidate_requests:,} requests "
        f"({_of(figure.candidate_bad, figure.candidate_requests)}) on the candidate{_than(state, index)}, {compared}; "
        f"evidence {say_evidence(_exp(float(state.log_e)))}, limit {1 / state.settings.alpha:,.0f}"
    )


def _than(state: State, index: int) -> str:
    """What slow means here."""
    if not 1 <= index <= LIMITS:
        return ""
    own = state.limits.edges[..., 0, index - 1]
    near, _ = state.settings.shift.edges(own)
    return f" took {float(seconds_at(near)) * 1000:,.0f} ms or more (the baseline: {float(seconds_at(own)) * 1000:,.0f} ms)"


def _mismatch(state: State) -> str:
    n_c, n_b = float(state.ratio.n_c), float(state.ratio.n_b)
    return (
        f"allocation mismatch: {n_c:,.0f} of {n_c + n_b:,.0f} requests ({_of(n_c, n_c + n_b)}) reached the candidate at an "
        f"exposure of {say_share(float(state.exposure))}: the split or the counting is wrong"
    )


def _outage(state: State) -> str:
    n, e = float(state.past.base_n[0]), float(state.past.base_e[0])
    return (
        f"shared outage: the baseline itself has {_of(e, n)} errors in the last half minute, where the last day knows "
        f"{say_share(float(state.past.share[0]))}; the exposure is held"
    )


def _suspicion(state: State, figures: tuple[Figure, ...]) -> str:
    return f"suspicion: {_why(state, figures)}; the exposure is held"


def _too_little(state: State, seen: float | None, missing: int) -> str:
    could = (
        "not even a dead version would have been found yet"
        if seen is None
        else f"a fault of {say_share(seen)} would have been found"
    )
    must_see = say_share(state.settings.must_see)
    more = (
        f"about {missing:,} more are needed to find one of {must_see}"
        if missing < UNENDING / 2
        else f"one of {must_see} is within the margin where the baseline fails so often"
    )
    return f"not enough data: {float(state.this_step.n_c[0]):,.0f} requests of the candidate in this step, {could}; {more}"


def _well(seen: float | None) -> str:
    return (
        f"no worse than the baseline; a fault of {say_share(seen)} would have been found"
        if seen
        else "no worse than the baseline"
    )


def _of(bad: float, requests: float) -> str:
    return say_share(bad / requests) if requests else "none"


def say_share(share: float) -> str:
    """0.1234 as 12%, 0.0123 as 1.2%, 0.00123 as 0.12%, 0.05 as 5%."""
    percent = share * 100
    digits = 0 if percent >= 9.95 or percent == 0 else 1 if percent >= 0.995 else 2
    return f"{percent:.{digits}f}%".replace(".0%", "%")
