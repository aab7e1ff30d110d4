from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.bucket import Bucket, Kind

VALUES = st.floats(-1e6, 1e6, allow_nan=False)


def gauge(*values: float) -> Bucket:
    bucket = Bucket()
    for value in values:
        bucket = bucket.sampled(value)
    return bucket


@pytest.mark.parametrize(
    ("statistic", "figure"),
    [
        ("average", 4.0),
        ("sum", 20.0),
        ("minimum", 1.0),
        ("maximum", 10.0),
        ("count", 5.0),
        ("p0", 1.0),
        ("p50", 3.0),
        ("p100", 10.0),
    ],
)
def test_a_gauge_has_the_statistic_over_its_samples(statistic: str, figure: float) -> None:
    assert gauge(10, 1, 2, 3, 4).figure(statistic, Kind.GAUGE) == figure


def test_nothing_is_no_figure_but_a_count() -> None:
    for kind in Kind:
        assert Bucket().figure("average", kind) is None
        assert Bucket().figure("p99", kind) is None
        assert Bucket().figure("count", kind) == 0
    assert Bucket().figure("sum", Kind.GAUGE) is None
    assert Bucket().figure("sum", Kind.HISTOGRAM) == 0


def test_a_counter_is_growth_a_second_and_task_weighted_by_time() -> None:
    bucket = Bucket().grown(10, 1).grown(10, 9)
    assert bucket.figure("average", Kind.COUNTER) == 2.0
    assert bucket.figure("sum", Kind.COUNTER) == 20.0
    assert bucket.figure("maximum", Kind.COUNTER) == 10.0
    assert bucket.figure("count", Kind.COUNTER) == 2


def test_a_part_of_a_counters_growth_keeps_its_rate() -> None:
    bucket = Bucket().grown(100, 10, part=0.25)
    assert bucket.figure("average", Kind.COUNTER) == 10.0
    assert bucket.figure("sum", Kind.COUNTER) == 25.0


def histogram(bounds: dict[str, float], total: float = 0.0) -> Bucket:
    return Bucket().observed(count=max(bounds.values()), total=total, bounds=bounds)


def test_a_histogram_has_its_percentiles_within_its_bounds() -> None:
    bucket = histogram({"0.1": 50, "0.5": 90, "1": 100, "+Inf": 100}, total=30)
    assert bucket.figure("p50", Kind.HISTOGRAM) == pytest.approx(0.1)
    assert bucket.figure("p90", Kind.HISTOGRAM) == pytest.approx(0.5)
    assert bucket.figure("p99", Kind.HISTOGRAM) == pytest.approx(0.95)
    assert bucket.figure("average", Kind.HISTOGRAM) == pytest.approx(0.3)
    assert bucket.figure("count", Kind.HISTOGRAM) == 100
    assert bucket.figure("minimum", Kind.HISTOGRAM) == 0.0
    assert bucket.figure("maximum", Kind.HISTOGRAM) == 1.0


def test_what_lies_beyond_the_last_bound_is_said_to_be_at_it() -> None:
    assert histogram({"0.1": 0, "1": 10, "+Inf": 20}).figure("p99", Kind.HISTOGRAM) == 1.0


def test_unlike_bounds_of_two_tasks_never_make_a_negative_count() -> None:
    bucket = histogram({"0.1": 50, "1": 100, "+Inf": 100}).observed(count=10, total=1, bounds={"0.5": 5, "+Inf": 10})
    figure = bucket.figure("p99", Kind.HISTOGRAM)
    assert figure is not None
    assert 0.1 <= figure <= 1


@given(st.lists(VALUES, min_size=1, max_size=60), st.randoms())
def test_the_order_of_samples_does_not_matter(values: list[float], random: object) -> None:
    shuffled = sorted(values, key=lambda _: random.random())  # type: ignore[attr-defined]
    one, other = gauge(*values), gauge(*shuffled)
    for statistic in ("minimum", "maximum", "count", "p50", "p99"):
        assert one.figure(statistic, Kind.GAUGE) == other.figure(statistic, Kind.GAUGE)
    assert one.total == pytest.approx(other.total, abs=1e-3)


@given(st.lists(VALUES, min_size=1, max_size=60), st.sampled_from([0.0, 10, 50, 90, 99, 100]))
def test_a_percentile_is_one_of_the_samples_to_three_digits(values: list[float], percent: float) -> None:
    figure = gauge(*values).figure(f"p{percent:g}", Kind.GAUGE)
    exact = sorted(values)[max(0, math.ceil(percent / 100 * len(values) - 1e-9) - 1)]
    assert figure == pytest.approx(exact, rel=0.006, abs=1e-300)


@given(st.lists(st.tuples(st.floats(0.001, 100), st.integers(0, 50)), min_size=1, max_size=12))
def test_percentiles_of_a_histogram_grow_and_stay_within_its_bounds(steps: list[tuple[float, int]]) -> None:
    bounds, count = dict[str, float](), 0
    for bound, more in sorted(steps):
        count += more
        bounds[str(bound)] = count
    bucket = histogram({**bounds, "+Inf": count})
    figures = [bucket.figure(f"p{percent}", Kind.HISTOGRAM) for percent in (0, 25, 50, 75, 99, 100)]
    if not count:
        assert figures == [None] * 6
    else:
        known = [figure for figure in figures if figure is not None]
        assert known == sorted(known)
        assert len(known) == 6
        assert all(0 <= figure <= max(bound for bound, _ in steps) for figure in known)
