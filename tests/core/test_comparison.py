"""The comparison as a whole, one rollout at a time."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from tests.core.comparing import Traffic, a_day, begun, bet, run
from tidegate.core import comparison
from tidegate.core.budget import Pace
from tidegate.core.comparison import State
from tidegate.core.comparison_codec import dump, load
from tidegate.core.comparison_input import Counts, Outcomes, Tick
from tidegate.core.comparison_settings import Settings, margin
from tidegate.core.evalue import Margin
from tidegate.core.exposure import Exposure
from tidegate.core.history import History
from tidegate.core.latency import Latencies
from tidegate.core.mixture import Prior, Stake, spend
from tidegate.core.tally import Tally

HISTORY = a_day()


def seconds_to_find(traffic: Traffic, history: History | None = HISTORY, **how: float) -> int | None:
    state = begun(history)
    for second in range(400):
        state = run(state, traffic, 1, **how)
        if comparison.is_bad(state):
            return second + 1
    return None


@pytest.mark.parametrize(("fault", "most"), [(1.0, 1), (0.2, 5), (0.05, 30)])
def test_a_bad_version_is_found_within_seconds_at_a_hundred_requests_a_second(fault, most):
    assert (seconds_to_find(Traffic(candidate=fault)) or 999) <= most


def test_a_bad_version_is_found_without_any_history_too():
    assert (seconds_to_find(Traffic(candidate=0.2), history=None) or 999) <= 12


def test_a_healthy_version_is_left_alone():
    assert seconds_to_find(Traffic()) is None


def test_five_percent_slower_is_harmless_and_twice_as_slow_is_not():
    assert seconds_to_find(Traffic(slower=1.05)) is None
    assert (seconds_to_find(Traffic(slower=2.0)) or 999) <= 8


def test_a_version_that_hangs_is_found_though_nothing_of_it_ever_finishes():
    assert (seconds_to_find(Traffic(hangs=1.0)) or 999) <= 6


def test_a_version_that_hangs_now_and_then_is_found():
    assert (seconds_to_find(Traffic(hangs=0.2)) or 999) <= 25


def test_an_outage_that_hits_both_sides_alike_blames_nobody_and_holds():
    state = run(begun(HISTORY), Traffic(), 60, exposure=0.5)
    state = run(state, Traffic(candidate=0.5, baseline=0.5), 60, exposure=0.5)
    assert not comparison.is_bad(state)
    assert comparison.is_held(state)


def test_a_baseline_that_becomes_slow_with_the_candidate_blames_nobody():
    state = run(begun(HISTORY), Traffic(slower=3.0, base_slower=3.0), 120, exposure=0.5)
    assert not comparison.is_bad(state)


def test_latency_of_cold_tasks_does_not_bet_and_their_errors_do():
    cold = run(begun(HISTORY), Traffic(slower=3.0), 60, warm=False)
    assert not comparison.is_suspected(cold)
    assert comparison.is_bad(run(begun(HISTORY), Traffic(slower=3.0, candidate=0.5), 10, warm=False))


def test_ticks_of_a_tenth_of_a_second_find_a_dead_version_within_half_a_second():
    state = begun(HISTORY)
    for tick in range(20):
        state = run(state, Traffic(candidate=1.0, rate=200, seed=tick), 1, span=0.1)
        if comparison.is_bad(state):
            break
    assert tick < 5


def test_a_wrong_split_is_a_mismatch():
    state, settings = begun(HISTORY), Settings()
    for second in range(30):
        tick = Traffic(seed=second).tick(settings, 0.5)
        state = comparison.advance(state, replace(tick, exposure=np.asarray(0.1)))
    assert comparison.is_mismatch(state)
    assert comparison.is_held(state)
    assert not comparison.is_bad(state)


def test_an_open_block_is_dropped_when_the_exposure_changes():
    state = comparison.advance(begun(), Traffic(rate=3, candidate=1.0, seed=4).tick(Settings(), 1e-4))
    assert state.open.n_b[0] > 0
    changed = comparison.advance(state, Tick.of(*_nothing(), span=1.0, exposure=Exposure(5000), step=1))
    assert changed.open.n_b[0] == 0
    kept = comparison.advance(state, Tick.of(*_nothing(), span=1.0, exposure=Exposure(1), step=1))
    assert kept.open.n_b[0] == state.open.n_b[0]


def _nothing() -> tuple[Counts, Counts]:
    return Counts.of(Settings()), Counts.of(Settings())


def test_ticks_without_traffic_change_no_evidence():
    state = run(begun(HISTORY), Traffic(), 20)
    quiet = state
    for _ in range(30):
        quiet = comparison.advance(quiet, Tick.of(*_nothing(), span=1.0, exposure=Exposure(1000), step=0))
    assert float(quiet.log_e) == pytest.approx(float(state.log_e), abs=1e-9)


def test_early_promotion_comes_within_a_minute_for_the_healthy_and_never_for_the_bad():
    healthy = run(begun(HISTORY), Traffic(rate=200), 60)
    assert comparison.is_not_worse(healthy)
    assert not comparison.is_not_worse(run(begun(HISTORY), Traffic(rate=200, candidate=0.02), 60, until_bad=False))
    assert not comparison.is_not_worse(run(begun(HISTORY), Traffic(rate=200, slower=1.5), 60, until_bad=False))


def test_what_was_proven_early_does_not_vouch_for_a_fault_that_comes_late():
    state = run(begun(HISTORY), Traffic(rate=200), 200)
    assert comparison.is_not_worse(state)
    state = run(state, Traffic(rate=200, candidate=0.03, seed=3), 20, until_bad=False)
    assert not comparison.is_not_worse(state)


def test_the_harm_budget_opens_as_the_candidate_proves_itself_and_never_closes():
    state = begun(HISTORY)
    exposures = [0.005]
    for _ in range(12):
        state = run(state, Traffic(rate=1000, seed=len(exposures)), 1, exposure=exposures[-1])
        exposures.append(min(0.1, round(float(comparison.allowed_exposure(state, Pace(10.0, 1.0))), 4)))
    assert exposures == sorted(exposures)
    assert exposures[7] >= 0.1, "ten percent within seven seconds"
    bad = run(begun(HISTORY), Traffic(rate=1000, candidate=1.0), 3, exposure=0.005)
    assert float(comparison.allowed_exposure(bad, Pace(10.0, 1.0))) == 0.005


OWN = Settings(shares=("checkout",), histograms=("queue",))


def own_tick(second: int, *, failing: int = 0, slower: float = 1.0) -> Tick:
    rng = np.random.default_rng(second)
    sides = []
    for share, bad, factor in ((10, failing, slower), (90, 0, 1.0)):
        outcomes = Outcomes({"checkout": (share, bad)}, {"queue": Latencies.of(3e5 * factor * rng.lognormal(0, 0.3, share))})
        sides.append(Counts.of(OWN, Tally(share, share, 0, Latencies.of(50_000 * rng.lognormal(0, 0.5, share))), outcomes))
    return Tick.of(*sides, span=1.0, exposure=Exposure(1000), step=0)


@pytest.mark.parametrize(("how", "name"), [({"failing": 4}, "checkout"), ({"slower": 2.0}, "queue")])
def test_metrics_of_the_users_own_take_part_by_name(how, name):
    state = comparison.begin(OWN, HISTORY, Prior(100, 5))
    for second in range(25):
        state = comparison.advance(state, own_tick(second, **how))
        if comparison.is_bad(state):
            break
    assert comparison.is_bad(state)
    assert OWN.names[int(np.argmax(state.log_parts[: OWN.outcomes] + state.log_weights[: OWN.outcomes]))].startswith(name)


def test_metrics_of_the_users_own_leave_a_healthy_version_alone():
    state = comparison.begin(OWN, HISTORY, Prior(100, 5))
    for second in range(60):
        state = comparison.advance(state, own_tick(second))
    assert not comparison.is_suspected(state)


@effort(max_examples=12, deadline=None)
@given(
    at=st.integers(0, 30),
    seed=st.integers(0, 1000),
    rate=st.sampled_from([0.5, 5.0, 100.0]),
    candidate=st.sampled_from([0.001, 0.3]),
    known=st.booleans(),
)
def test_a_restart_at_any_tick_goes_on_to_the_last_bit(at, seed, rate, candidate, known):
    def after(restart: bool) -> str:
        traffic, state = Traffic(rate=rate, candidate=candidate, seed=seed), begun(HISTORY if known else None)
        for tick in range(31):
            if restart and tick == at:
                state = load(State, json.loads(json.dumps(dump(state), allow_nan=False)))
            state = comparison.advance(state, traffic.tick(state.settings, 0.1 if tick < 12 else 0.3, step=tick // 12))
        return json.dumps(dump(state))

    assert after(restart=True) == after(restart=False)


def test_many_rollouts_side_by_side_are_what_each_is_alone():
    """The simulation's front axis changes nothing."""
    alone = [run(begun(HISTORY), Traffic(candidate=p, seed=s), 10, until_bad=False) for p, s in ((0.001, 1), (0.3, 2))]
    both = comparison.begin(Settings(), _stacked([HISTORY, HISTORY]), Prior(540, 9))
    traffics = [Traffic(candidate=0.001, seed=1), Traffic(candidate=0.3, seed=2)]
    for _ in range(10):
        ticks = [traffic.tick(Settings(), 0.1) for traffic in traffics]
        both = comparison.advance(both, _stacked(ticks))
    assert both.log_e.tolist() == pytest.approx([float(state.log_e) for state in alone], rel=1e-12)
    assert both.log_parts.tolist() == [pytest.approx(state.log_parts.tolist(), rel=1e-9, abs=1e-12) for state in alone]


def _stacked(things: list) -> object:
    from dataclasses import fields, is_dataclass

    first = things[0]
    if is_dataclass(first):
        return replace(first, **{f.name: _stacked([getattr(t, f.name) for t in things]) for f in fields(first)})
    return first if type(first) in (int, float) else np.stack(things)


def test_a_block_is_judged_by_what_was_known_before_it():
    """The tick in which the baseline breaks down does not yet lower what the candidate is compared with."""
    state = begun(HISTORY)
    tick = Traffic(candidate=0.3, baseline=0.9).tick(state.settings, 0.5)
    after = comparison.advance(state, tick)
    fresh, _ = comparison._outcomes(state, tick, np.zeros(2))
    stake = Stake(np.ones(6, dtype=bool), state.clusters.phi, spend(state.prior, state.calendar, np.asarray(True))[1])
    rho, delta = margin(state.settings)
    expected = bet(state.log_m, fresh, state.plug_in.share, Margin(rho, delta), stake)
    assert after.log_m.tolist() == expected.tolist()
    assert after.plug_in.share[0] > 2 * state.plug_in.share[0]


def _loaded(share: float) -> float:
    """How much slower a side is with this share of the traffic, half busy with all of it (1 / (1 - utilisation))."""
    return 1 / (1 - 0.5 * share)


@pytest.mark.parametrize("known", [True, False])
def test_a_healthy_version_is_not_blamed_for_being_busier_than_the_baseline(known):
    """With nine tenths of the users it is slower than a baseline that has nothing to do any more."""
    history = a_day(rate=100.0, slower=_loaded(1.0)) if known else None
    state = begun(history)
    for step, exposure in enumerate([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]):
        slower, base_slower = _loaded(exposure), _loaded(1 - exposure)
        state = run(state, Traffic(slower=slower, base_slower=base_slower, seed=step), 60, exposure, step=step)
    assert not comparison.is_bad(state)


def test_a_version_that_becomes_slow_late_is_found_beside_an_idle_baseline():
    state = begun(a_day(rate=100.0, slower=_loaded(1.0)))
    for step, exposure in enumerate([0.1, 0.5]):
        slower, base_slower = _loaded(exposure), _loaded(1 - exposure)
        state = run(state, Traffic(slower=slower, base_slower=base_slower, seed=step), 60, exposure, step=step)
    late = Traffic(slower=2 * _loaded(0.8), base_slower=_loaded(0.2), seed=9)
    assert comparison.is_bad(run(state, late, 60, 0.8, step=2))


def test_requests_in_flight_while_the_candidate_warms_up_say_nothing_about_the_bursts_of_errors():
    """A slow machine has hundreds in flight, now more and now fewer: on the baseline these are no errors."""
    state, settings = begun(a_day(rate=500.0)), Settings()
    for second in range(30):
        finished = 900 if second % 2 else 0
        baseline = Tally(450, finished, 0, Latencies.of([50_000.0] * finished))
        candidate = Tally(50, 50, 0, Latencies.of([50_000.0] * 50))
        sides = Counts.of(settings, candidate), Counts.of(settings, baseline)
        state = comparison.advance(state, Tick.of(*sides, span=1.0, exposure=Exposure(1000), step=0, warm=False))
    assert state.clusters.phi[0] < 2
    assert state.plug_in.share[0] < 0.01
