"""Sizes and start times: the prior is proper, the process is an e-process, nothing is reset."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.comparing import bet
from tidegate.core.clusters import ceiling
from tidegate.core.evalue import Block, Margin
from tidegate.core.mixture import NEVER, SIZES, Calendar, Prior, Stake, log_evidence, spend

MARGIN = Margin(1.25, 0.001)


def spent_after(prior: Prior, ticks: int, changes: set[int]) -> np.ndarray:
    calendar, spent = Calendar.blank(()), []
    for tick in range(ticks):
        calendar, log_omega = spend(prior, calendar, np.asarray(tick in changes))
        spent.append(float(np.exp(log_omega)))
    assert float(calendar.spent) == pytest.approx(sum(spent))
    return np.array(spent)


@given(planned=st.integers(1, 400), steps=st.integers(0, 20), ticks=st.integers(1, 1500), changes=st.sets(st.integers(0, 1500)))
def test_the_prior_of_start_times_never_spends_more_than_one(planned, steps, ticks, changes):
    assert spent_after(Prior(planned, steps), ticks, changes).sum() <= 1 + 1e-9


def test_every_tick_has_some_mass_also_beyond_the_plan():
    spent = spent_after(Prior(10, 2), 5000, {3, 6, 9})
    assert (spent > 0).all()
    assert spent[0] == pytest.approx(0.4 + 0.03)
    assert spent[3] == pytest.approx(0.1 + 0.03)
    assert spent[9] == pytest.approx(0.03), "a third change was not planned, and has no mass of its own"


def one_outcome(n_c: float, e_c: float, n_b: float, e_b: float) -> Block:
    return Block(*(np.array([count]) for count in (n_c, e_c, n_b, e_b)))


def run(blocks: list[Block], prior: Prior = Prior(100, 0)) -> list[float]:  # noqa: B008
    calendar, log_m, seen = Calendar.blank(()), np.full((1, len(SIZES)), NEVER), []
    for block in blocks:
        calendar, log_omega = spend(prior, calendar, np.asarray(False))
        stake = Stake((block.n_c >= 1) & (block.n_b >= 1), np.ones(1), log_omega)
        log_m = bet(log_m, block, np.array([0.001]), MARGIN, stake)
        seen.append(float(np.exp(log_evidence(log_m, calendar.log_left)[0])))
    return seen


def test_without_data_the_evidence_stays_exactly_one():
    assert run([one_outcome(0, 0, 0, 0)] * 50) == pytest.approx([1.0] * 50)


def test_a_block_without_a_baseline_bets_nothing():
    assert run([one_outcome(50, 50, 0, 0)] * 5) == pytest.approx([1.0] * 5)


def test_a_dead_version_is_found_within_its_first_handful_of_requests():
    assert run([one_outcome(4, 4, 36, 0)])[0] > 1000


def test_a_fault_that_begins_late_is_found_about_as_fast():
    late = run([one_outcome(10, 0, 90, 0)] * 80 + [one_outcome(10, 2, 90, 0)] * 20)
    soon = run([one_outcome(10, 2, 90, 0)] * 20)

    def first(seen: list[float]) -> int:
        return next(i for i, evidence in enumerate(seen) if evidence > 1000)

    assert first(late) - 80 <= first(soon) + 2


def test_the_mean_over_many_harmless_rollouts_is_at_most_one():
    """E[E] <= 1 at every point of the null; the mean of 20,000 heavy-tailed draws is allowed some noise."""
    rng, rollouts = np.random.default_rng(1), 20_000
    calendar, log_m = Calendar.blank(()), np.full((rollouts, 1, len(SIZES)), NEVER)
    prior, p_b = Prior(60, 0), 0.02
    for _ in range(60):
        calendar, log_omega = spend(prior, calendar, np.asarray(False))
        bad_c = rng.binomial(5, float(MARGIN.edge(np.float64(p_b))), (rollouts, 1)).astype(float)
        bad_b = rng.binomial(20, p_b, (rollouts, 1)).astype(float)
        block = Block(np.full((rollouts, 1), 5.0), bad_c, np.full((rollouts, 1), 20.0), bad_b)
        stake = Stake(np.ones((rollouts, 1), dtype=bool), np.ones(1), log_omega)
        log_m = bet(log_m, block, np.full((rollouts, 1), p_b), MARGIN, stake)
    evidence = np.exp(log_evidence(log_m, calendar.log_left))
    assert 0.2 < evidence.mean() < 1.1
    assert (evidence >= 20).mean() <= 0.05


def test_clusters_of_three_make_a_third_of_the_evidence():
    block, log_m = one_outcome(20, 3, 180, 0), np.zeros((1, len(SIZES)))
    stakes = [Stake(np.array([True]), np.array([phi]), np.asarray(NEVER)) for phi in (1.0, 3.0)]
    alone, clustered = (bet(log_m, block, np.array([0.001]), MARGIN, stake) for stake in stakes)
    assert clustered == pytest.approx(np.minimum(alone / 3, 3 * ceiling(np.asarray(3.0))))


def test_with_no_bad_request_clusters_of_three_take_a_third_of_the_good_news():
    block, log_m = one_outcome(20, 0, 180, 5), np.zeros((1, len(SIZES)))
    stakes = [Stake(np.array([True]), np.array([phi]), np.asarray(NEVER)) for phi in (1.0, 3.0)]
    alone, clustered = (bet(log_m, block, np.array([0.001]), MARGIN, stake) for stake in stakes)
    assert (clustered < 0).all()
    assert clustered == pytest.approx(alone / 3)
