"""What is told before the start."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.core.compare_file import CompareFile, ErrorsMargin
from tidegate.core.compare_settings import settings_of
from tidegate.core.comparison_settings import Settings
from tidegate.core.forecast import Course, Forecast, Planned, forecast
from tidegate.core.forecast_harm import Reins, Traffic
from tidegate.core.forecast_proof import Slow
from tidegate.core.plan import Unsure, read_plan

LINEAR = (*(Planned(tenths / 10, 60.0) for tenths in range(1, 10)), Planned(1.0, 60.0))
ADAPTIVE = (*(Planned(tenths / 10, 60.0, least=12.0) for tenths in range(1, 10)), Planned(1.0, 60.0))
BUDGET = Reins(harm=10.0)


def of(rate: float, *, adaptive: bool = False, **traffic: float) -> Forecast:
    course = Course(ADAPTIVE, BUDGET) if adaptive else Course(LINEAR)
    return forecast(course, Traffic(rate, **traffic), Settings())


def along(plan: object, rate: float, compare: CompareFile | None = None, **reins: float) -> Forecast:
    """Of a plan as people write it."""
    compare = compare or CompareFile()
    course = Course.of(read_plan(plan).resolve(), Reins(compare.rollback, **reins))
    return forecast(course, Traffic(rate), settings_of(compare))


def test_a_step_gathers_its_share_of_the_traffic():
    assert [round(step.requests) for step in of(100).steps[:3]] == [600, 1200, 1800]


def test_more_traffic_sees_smaller_faults_and_a_whole_step_sees_none():
    seen = [of(rate).steps[0].detectable for rate in (1, 10, 100, 1000)]
    assert seen == sorted(seen, reverse=True)
    assert of(100).steps[-1].detectable is None


@pytest.mark.parametrize(
    ("rate", "simulated"),
    [(10, {1.0: 3.9, 0.2: 4.4, 0.05: 6.9}), (100, {1.0: 20.0, 0.2: 7.1, 0.05: 7.0}), (1000, {1.0: 200, 0.2: 40, 0.05: 13.4})],
)
def test_the_harm_is_about_what_the_simulation_counts(rate, simulated):
    """Without the history's help, and so never much less."""
    for harm in of(rate).harms:
        if harm.fault in simulated:
            assert 0.85 * simulated[harm.fault] <= harm.mean <= 1.5 * simulated[harm.fault] + 1
            assert harm.p95 >= 0.99 * harm.mean


def test_a_dead_version_is_found_as_fast_in_a_step_of_a_day_as_in_one_of_a_minute():
    short, long = along("canary 10% hold 1m", 100).harms[0], along("canary 10% hold 1d", 100).harms[0]
    assert long.mean == pytest.approx(short.mean, rel=0.01)
    assert along("canary 1% hold 5d", 10).harms[0].mean < 10


@pytest.mark.parametrize("rate", [100, 1000, 10_000])
def test_a_harm_budget_of_ten_costs_about_ten_whatever_the_traffic(rate):
    for harm in of(rate, adaptive=True).harms[:3]:
        assert harm.mean <= 12
        assert harm.p95 <= 20


def test_where_the_least_share_is_more_than_the_budget_it_says_so():
    crowded = of(1_000_000, adaptive=True)
    assert crowded.harms[0].mean == pytest.approx(200, rel=0.1)
    (warning,) = crowded.warnings
    assert warning.startswith("A harm budget of 10 cannot be kept: 0.01% of the users")


def test_an_adaptive_plan_is_faster_for_the_healthy_the_more_traffic_there_is():
    durations = [of(rate, adaptive=True).seconds for rate in (1, 10, 100, 1000)]
    assert durations == sorted(durations, reverse=True)
    assert durations[-1] < of(1000).seconds / 2
    assert of(1000).seconds == 600


def test_the_last_step_of_an_adaptive_plan_is_held_for_its_bake_also_with_a_holdback():
    seen = along({"adaptive": {"harm": 10, "no_faster_than": "1m"}, "holdback": "5%", "bake": "7m"}, 1000)
    assert (seen.steps[-1].exposure, seen.steps[-1].seconds) == (0.95, 420)
    assert seen.steps[0].seconds < 10


def test_a_step_that_cannot_see_is_extended_as_far_as_it_needs_and_at_most_to_twice_its_hold():
    needed = of(1).steps[0].needed
    assert of(1).steps[0].seconds == 120 < needed
    some = forecast(Course((Planned(0.1, needed / 1.5), Planned(1.0, 60.0))), Traffic(1), Settings())
    assert some.steps[0].seconds == pytest.approx(needed)
    assert some.steps[0].sees
    promoted = forecast(Course(LINEAR, no_data=Unsure.PROMOTE), Traffic(1), Settings())
    assert promoted.seconds == 600


def test_a_plan_that_cannot_see_is_warned_of_and_told_what_would_help():
    (warning,) = forecast(Course(LINEAR[:1]), Traffic(1), Settings()).warnings
    assert "At 1 requests a second the step of 10% finds " in warning
    assert "it is held for up to twice its time, and then goes on unverified" in warning
    assert "Hold it for " in warning
    longer = (Planned(0.1, of(1).steps[0].needed * 1.02), Planned(1.0, 60.0))
    assert not forecast(Course(longer), Traffic(1), Settings()).warnings


def test_the_hold_and_the_share_that_are_advised_suffice():
    (warning,) = along("canary 5% hold 1m bake 1m", 24).warnings
    hold, share = warning.partition("Hold it for ")[2].rstrip(".").split(", or begin with ")
    assert not along(f"canary 5% hold {hold} bake 1m", 24).warnings
    assert not along(f"canary {share} hold 1m bake 1m", 24).warnings


@pytest.mark.parametrize(("unsure", "said"), [("hold", "a person is waited for"), ("rollback", "good version is rolled back")])
def test_what_becomes_of_an_unverified_step_is_said(unsure, said):
    plan = {"canary": {"first": "10%", "hold": "1m"}, "unsure": {"no_data": unsure}}
    assert said in along(plan, 1).warnings[0]


def test_many_blind_steps_are_one_warning():
    (warning,) = of(1).warnings
    assert "the step of 10%, and 8 more that are too short, finds" in warning


def test_steps_without_users_or_without_a_hold_need_no_data():
    steps = [{"exposure": "0%", "hold": "1m"}, {"exposure": "5%"}, {"exposure": "50%", "hold": "10m"}]
    seen = along({"steps": steps}, 10)
    assert [step.needed is None for step in seen.steps] == [True, True, False, True]
    assert not seen.warnings
    assert seen.harms[0].found > 0.99


def test_everybody_at_once_is_warned_of():
    seen = along("all_at_once bake 5m", 100)
    assert seen.warnings == ("Everybody is let in at once: nothing is compared. Begin with a step, as canary 10% hold 5m.",)
    assert [(harm.found, round(harm.mean)) for harm in seen.harms[:2]] == [(0, 30_000), (0, 6000)]


def test_a_costly_plan_is_told_what_a_budget_would_save():
    assert "adaptive: {harm: 10} it would be about 10" in of(1000).warnings[0]
    assert not of(1000, adaptive=True).warnings


def test_a_healthy_version_that_outlasts_its_deadline_is_warned_of():
    plan = {"linear": {"step": "10%", "every": "1m"}, "bake": "1m", "deadline": "15m"}
    assert "longer than the deadline of 15m: it would be rolled back" in along(plan, 0.5).warnings[1]
    assert not any("deadline" in warning for warning in along(plan, 50).warnings)


def test_bursts_cost_requests():
    assert of(100, phi=5.0).harms[2].mean > 2 * of(100).harms[2].mean


def test_without_traffic_nothing_is_promised():
    idle = of(0)
    assert all(step.detectable is None for step in idle.steps)
    assert all(harm.found == 0 and harm.mean == 0 and harm.seconds is None for harm in idle.harms)
    assert idle.warnings == ("Without traffic nothing can be compared. Send some for as long as it is released.",)


def test_a_fault_within_the_margin_is_found_by_nobody_and_the_margin_is_named():
    seen = of(100, errors=0.3)
    assert [harm.harmless for harm in seen.harms] == [False, False, True, True]
    assert seen.harms[2].found == 0
    assert "within the margin of 1.25x + 0.1pp, as 30% of the requests fail anyway" in seen.warnings[0]


def test_where_errors_are_not_compared_or_nothing_may_roll_back_no_fault_is_found():
    for compare in (CompareFile(errors=None), CompareFile(rollback=False)):
        seen = along("linear 10% every 1m", 100, compare)
        assert all(harm.found == 0 for harm in seen.harms)
        assert not seen.warnings
    assert along("linear 10% every 1m", 100, CompareFile(rollback=False)).steps[0].detectable
    assert along("linear 10% every 1m", 100, CompareFile(errors=None)).steps[0].detectable is None


PLANS = st.sampled_from([
    "linear 10% every 1m", "canary 1% hold 1h bake 2h", "exponential 0.01% every 1s", "all_at_once bake 0s",
    "adaptive harm 1 over 1s", "adaptive harm 1000000 over 1d", "linear 1% every 1d bake 30d",
])  # fmt: skip
MARGINS = st.sampled_from(["1.25x + 0.1pp", "1x + 0.000001pp", "100x", "100x + 99pp", "99pp"])


@settings(max_examples=15, deadline=None)
@given(
    plan=PLANS,
    margin=MARGINS,
    rate=st.floats(0, 1e7),
    errors=st.floats(0, 0.5),
    phi=st.floats(1, 20),
    tick=st.floats(0.1, 10),
    no_data=st.sampled_from(list(Unsure)),
)
def test_whatever_plan_and_traffic_come_the_figures_are_figures(*, plan, margin, rate, errors, phi, tick, no_data):
    course = Course.of(read_plan(plan).resolve(), Reins(tick=tick))
    course = Course(course.steps, course.reins, no_data, course.deadline)
    compared = settings_of(CompareFile(errors=ErrorsMargin(margin=margin)))
    seen = forecast(course, Traffic(rate, errors, phi), compared)
    for harm in seen.harms:
        assert 0 <= harm.found <= 1
        assert 0 <= harm.mean <= harm.p95 * 1.05 + 1e-9 or harm.found < 1
        assert math.isfinite(harm.p95)
    for step in seen.steps:
        assert step.seconds >= 0
        assert step.detectable is None or 0 < step.detectable <= 1
    worst_first = [round(harm.found, 2) for harm in seen.harms]
    assert worst_first == sorted(worst_first, reverse=True) or rate * tick < 100
    assert all(warning.endswith(".") for warning in seen.warnings)


def test_a_step_that_is_proven_early_is_not_called_blind():
    seen = along("adaptive harm 10 over 10s", 2000)
    assert all(step.proven and step.sees for step in seen.steps[:-1])
    assert not seen.warnings
    slow = along("adaptive harm 10 over 10s", 20)
    assert not slow.steps[0].proven
    assert "Take longer: no_faster_than: " in slow.warnings[0]


def test_the_outcome_that_is_proven_last_decides_how_long_an_adaptive_plan_takes():
    quick = forecast(Course(ADAPTIVE, BUDGET), Traffic(300), Settings()).seconds
    bursts = (Slow(0.5, 0.2, 1.0), Slow(0.01, 0.003, 20.0))
    assert forecast(Course(ADAPTIVE, BUDGET), Traffic(300, slows=bursts[:1]), Settings()).seconds == quick
    assert forecast(Course(ADAPTIVE, BUDGET), Traffic(300, slows=bursts), Settings()).seconds > 1.5 * quick
    never = (Slow(0.01, 0.05, 1.0),)
    assert not any(step.proven for step in forecast(Course(ADAPTIVE, BUDGET), Traffic(300, slows=never), Settings()).steps)
