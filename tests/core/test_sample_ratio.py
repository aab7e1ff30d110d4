"""The split is believed unless the counts cannot come from it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tidegate.core.sample_ratio import RatioSettings, SampleRatio, _log_gamma, observe

LIMIT = math.log(1000)


def run(exposure: float, share: float, *, requests: int = 100, ticks: int = 300, seed: int = 1) -> float:
    rng, state = np.random.default_rng(seed), SampleRatio.blank(())
    worst = 0.0
    for tick in range(ticks):
        n_c = float(rng.binomial(requests, share))
        state = observe(
            state, np.asarray(n_c), np.asarray(requests - n_c), np.asarray(exposure),
            changed=np.asarray(tick == 0), settings=RatioSettings(),
        )  # fmt: skip
        worst = max(worst, float(state.log_e))
    return worst


@pytest.mark.parametrize("exposure", [0.01, 0.1, 0.5, 0.9])
def test_the_planned_share_is_never_a_mismatch(exposure):
    assert max(run(exposure, exposure, seed=seed) for seed in range(5)) < 3


@pytest.mark.parametrize(("exposure", "share"), [(0.1, 0.12), (0.1, 0.09), (0.5, 0.55), (0.01, 0.02)])
def test_busy_users_on_one_side_are_luck_and_no_mismatch(exposure, share):
    assert run(exposure, share) < 3


@pytest.mark.parametrize(("exposure", "share"), [(0.1, 0.5), (0.1, 0.0), (0.5, 0.1), (0.9, 0.5), (0.01, 0.1)])
def test_a_wrong_split_is_found(exposure, share):
    assert run(exposure, share) > LIMIT


def test_at_none_and_at_all_there_is_no_ratio():
    assert run(0.0, 0.5) == 0
    assert run(1.0, 0.5) == 0


def test_evidence_of_earlier_exposures_is_kept():
    state = SampleRatio.blank(())
    for tick in range(6):
        state = observe(
            state, np.asarray(50.0), np.asarray(50.0), np.asarray(0.1 if tick < 3 else 0.5),
            changed=np.asarray(tick in (0, 3)), settings=RatioSettings(),
        )  # fmt: skip
    assert float(state.before) > LIMIT
    assert float(state.log_e) > LIMIT / 2


def test_the_logarithm_of_gamma_is_that_of_the_standard_library():
    for x in (0.002, 0.3, 1.0, 2.5, 20.0, 1e3, 1e7):
        assert float(_log_gamma(np.asarray(x))) == pytest.approx(math.lgamma(x), rel=1e-9, abs=1e-8)
