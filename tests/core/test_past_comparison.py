"""The last day as a witness: helpful at low traffic, silent when today is not like yesterday."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from tests.core.comparing import Traffic, a_day, begun, run
from tidegate.core import comparison
from tidegate.core.comparison_settings import Settings, Weights
from tidegate.core.past_comparison import Fresh, Past, PastSettings, begin, bet

HISTORY = a_day()
WITHOUT = Settings(weights=Weights(past=1e-12, past_latency=1e-12))


def seconds_to_find(settings: Settings, traffic: Traffic, exposure: float) -> int:
    state = begun(HISTORY, settings)
    for second in range(1000):
        state = run(state, traffic, 1, exposure=exposure)
        if comparison.is_bad(state):
            return second + 1
    return 1000


@pytest.mark.parametrize("fault", [0.3, 1.0])
def test_at_low_traffic_the_last_day_finds_a_bad_version_sooner(fault):
    def mean(settings: Settings) -> float:
        return float(np.mean([seconds_to_find(settings, Traffic(rate=2, candidate=fault, seed=s), 0.5) for s in range(8)]))

    assert mean(Settings()) < 0.9 * mean(WITHOUT)


def test_without_a_history_the_past_has_no_weight():
    state = begun(None)
    assert np.exp(state.log_weights).sum() == pytest.approx(1.0)
    assert np.exp(state.log_weights[state.settings.outcomes :]).sum() == pytest.approx(0.0)


def test_while_the_baseline_is_abnormal_the_past_is_vetoed_and_forgets_what_it_just_won():
    state = run(begun(HISTORY), Traffic(rate=20), 120, exposure=0.5)
    outage = Traffic(rate=20, candidate=0.4, baseline=0.4)
    for _ in range(30):
        state = run(state, outage, 1, exposure=0.5)
        assert not comparison.is_bad(state)
    assert state.past.vetoed[0]
    assert float(state.log_parts[state.settings.outcomes]) < 2


def test_suspicion_waits_until_the_baseline_was_seen_to_be_well():
    """A hundred failures in a row, and no baseline request at all: the first seconds say nothing yet."""
    state = run(begun(HISTORY), Traffic(rate=20, candidate=1.0), 3, exposure=1.0, until_bad=False)
    assert float(state.past.age[0]) > 0
    assert not comparison.is_bad(state)
    assert comparison.is_bad(run(state, Traffic(rate=20, candidate=1.0), 20, exposure=1.0))


def test_twice_as_many_errors_as_yesterday_is_no_news_to_the_past():
    state = run(begun(a_day(baseline=0.01)), Traffic(candidate=0.02, baseline=0.02), 200, exposure=0.5)
    assert not comparison.is_suspected(state)


def fresh(bad: float, base_bad: float = 0.0) -> Fresh:
    counts = (np.array([x]) for x in (10.0, bad, 90.0, base_bad, 0.001, 1.0))
    n_c, e_c, n_b, e_b, recent, phi = counts
    return Fresh(n_c, e_c, n_b, e_b, recent, phi, alone=np.asarray(False), span=1.0)


def after(past: Past, *seconds: Fresh) -> Past:
    for second in seconds:
        past = bet(past, second, np.asarray(-5.0), np.array([0.001]), PastSettings())
    return past


def one_outcome() -> Past:
    blank = begin(HISTORY, HISTORY.edges, np.ones(6), PastSettings())
    return Past(**{f.name: getattr(blank, f.name)[:1] for f in fields(Past)})


def test_a_vetoed_second_wins_nothing():
    vetoed = after(one_outcome(), fresh(bad=9, base_bad=60))
    assert vetoed.vetoed[0]
    assert vetoed.log_m.max() <= -5.0


def test_a_veto_takes_back_what_was_won_just_before_it_and_no_more():
    calm = after(one_outcome(), *[fresh(bad=0)] * 70)
    convinced = after(calm, fresh(bad=9))
    assert convinced.log_m.max() > 10
    assert after(convinced, fresh(bad=9, base_bad=60)).log_m.max() < 0
    long_ago = after(convinced, *[fresh(bad=1)] * 70)
    assert after(long_ago, fresh(bad=9, base_bad=60)).log_m.max() > 10
