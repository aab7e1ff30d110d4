"""What a comparison says to people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.core.comparing import Traffic, a_day, begun, run
from tidegate.core import comparison
from tidegate.core.comparison_report import report, say_share
from tidegate.core.comparison_settings import Settings

HISTORY = a_day()


def test_a_bad_version_is_told_with_its_counts_on_both_sides():
    said = report(run(begun(HISTORY), Traffic(candidate=0.3), 20))
    assert said.standing == "firing"
    assert said.sentence.startswith("errors: ")
    assert "on the candidate" in said.sentence
    assert "limit 1,000" in said.sentence
    assert said.evidence >= said.limit


def test_a_slow_version_is_told_with_its_milliseconds():
    said = report(run(begun(HISTORY), Traffic(slower=2.0), 20))
    assert said.standing == "firing"
    assert said.sentence.startswith("latency p")
    assert " ms or more (the baseline: " in said.sentence


def test_suspicion_holds_the_exposure_and_names_its_figures():
    state, seen = begun(HISTORY), []
    while (said := report(state)).standing != "firing":
        seen.append(said)
        state = run(state, Traffic(candidate=0.02, seed=len(seen)), 1)
    suspected = [said for said in seen if said.suspected]
    assert suspected
    for said in suspected:
        assert said.standing == "held"
        assert said.sentence.startswith("suspicion: errors: ")
        assert said.sentence.endswith("; the exposure is held")


def test_too_little_is_told_with_what_is_missing():
    said = report(run(begun(HISTORY), Traffic(rate=20), 10))
    assert said.standing == "no_data"
    assert said.sentence.startswith("not enough data: ")
    assert said.missing > 0
    more = report(run(begun(HISTORY), Traffic(rate=20), 30))
    assert more.missing < said.missing


def test_what_is_said_to_be_missing_suffices():
    state = run(begun(HISTORY), Traffic(rate=100), 3)
    missing = report(state).missing
    state = run(state, Traffic(rate=100, seed=5), round(missing / 10 * 1.25))
    assert report(state).standing == "ok"
    assert "would have been found" in report(state).sentence


def test_where_the_baseline_fails_so_often_that_a_fault_is_within_the_margin_it_says_so():
    failing = run(begun(a_day(baseline=0.3)), Traffic(candidate=0.3, baseline=0.3), 20)
    assert report(failing).standing == "no_data"
    assert report(failing).sentence.endswith("one of 5% is within the margin where the baseline fails so often")


def test_every_step_must_see_for_itself():
    state = run(begun(HISTORY), Traffic(rate=100), 60)
    assert report(state).standing == "ok"
    assert report(run(state, Traffic(rate=100, seed=2), 1, exposure=0.2, step=1)).standing == "no_data"


def test_at_a_hundred_percent_there_is_nothing_to_compare_with():
    assert report(run(begun(HISTORY), Traffic(), 5, exposure=1.0)).standing == "not_applicable"


def test_at_a_hundred_percent_the_last_day_still_judges():
    said = report(run(begun(HISTORY), Traffic(candidate=0.5), 60, exposure=1.0))
    assert said.standing == "firing"
    assert "the last day knows" in said.sentence


def test_a_shared_outage_holds_and_says_so():
    state = run(begun(HISTORY), Traffic(), 30, exposure=0.5)
    said = report(run(state, Traffic(candidate=0.4, baseline=0.4), 20, exposure=0.5))
    assert said.standing == "held"
    assert said.outage
    assert "shared outage" in said.sentence


def test_a_wrong_split_holds_and_says_so():
    state = begun(HISTORY)
    for second in range(30):
        tick = Traffic(seed=second).tick(Settings(), 0.5)
        state = comparison.advance(state, replace(tick, exposure=np.asarray(0.1)))
    said = report(state)
    assert said.standing == "held"
    assert said.sentence.startswith("allocation mismatch: ")
    assert "exposure of 10%" in said.sentence


def test_figures_count_both_sides_for_every_outcome():
    state = run(begun(HISTORY), Traffic(), 40)
    figures = {figure.name: figure for figure in report(state).figures}
    assert list(figures) == ["errors", "latency p50", "latency p75", "latency p90", "latency p99", "latency p99.9"]
    half = figures["latency p50"]
    assert half.candidate_bad < half.candidate_requests
    assert half.baseline_bad / half.baseline_requests == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0%"), (1.0, "100%"), (0.1234, "12%"), (0.0123, "1.2%"), (0.00123, "0.12%"), (0.0999, "10%"), (0.05, "5%")],
)
def test_shares_are_said_with_the_digits_that_matter(share, said):
    assert say_share(share) == said
