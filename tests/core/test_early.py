"""The e-value turned around: proof that the candidate is not worse."""

from __future__ import annotations

import numpy as np

from tidegate.core.early import EarlySettings, prove, settle, wager
from tidegate.core.evalue import Array, Block, log_evalues
from tidegate.core.mixture import Stake

SETTINGS = EarlySettings()
STAKE = Stake(np.array([True]), np.ones(1), np.asarray(0.0))
RHO = 1.25


def bet(log_r: Array, block: Block, share: float, stake: Stake) -> Array:
    """On a candidate that is as the baseline, which is bad so often."""
    usual = np.array([share])
    made = wager(block.e_c, usual, usual, SETTINGS, rho=RHO)
    return settle(log_r, made, log_evalues(block, usual, RHO, [made])[0], stake, SETTINGS)


def after(requests: float, bad: float, log_r: float = 0.0) -> float:
    block = Block(*(np.array([count]) for count in (requests, bad, 9 * requests, 0.009 * requests)))
    return float(bet(np.array([log_r]), block, 0.001, STAKE)[0])


def test_a_few_hundred_good_requests_are_the_proof():
    assert after(250, 0) < SETTINGS.log_limit < after(450, 0)


def test_a_candidate_that_is_worse_loses_it():
    assert after(400, 9) < -5


def test_what_is_won_is_cut_off_a_little_above_the_proof():
    assert after(100_000, 100) == SETTINGS.log_limit + SETTINGS.above


def test_proven_stays_proven_until_the_process_has_turned_round():
    proven = prove(np.array([False]), np.array([SETTINGS.log_limit]), SETTINGS)
    assert proven[0]
    assert prove(proven, np.array([-1.0]), SETTINGS)[0]
    assert not prove(proven, np.array([-SETTINGS.log_limit - 0.1]), SETTINGS)[0]
    assert not prove(np.array([False]), np.array([1.0]), SETTINGS)[0]


def test_of_worse_candidates_at_most_one_in_twenty_is_ever_proven():
    rng, rollouts = np.random.default_rng(2), 4000
    log_r, proven = np.zeros((rollouts, 1)), np.zeros(rollouts, dtype=bool)
    stake = Stake(np.ones((rollouts, 1), dtype=bool), np.ones(1), np.asarray(0.0))
    p_b = 0.005
    for _ in range(150):
        e_c = rng.binomial(20, RHO * p_b + SETTINGS.points, (rollouts, 1)).astype(float)
        e_b = rng.binomial(80, p_b, (rollouts, 1)).astype(float)
        block = Block(np.full((rollouts, 1), 20.0), e_c, np.full((rollouts, 1), 80.0), e_b)
        log_r = bet(log_r, block, p_b, stake)
        proven |= log_r[:, 0] >= SETTINGS.log_limit
    assert proven.mean() <= SETTINGS.beta
