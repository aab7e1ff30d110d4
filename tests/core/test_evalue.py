"""The block e-value against brute force, exact enumeration and published designs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.evalue import TINY, Block, Margin, Point, expit, log_evalue, logit, project

MARGINS = [Margin(1.25, 0.001), Margin(1.0, 0.0), Margin(1.0, 0.01), Margin(2.0, 0.1), Margin(1.25, 0.011)]


def divergence(p1: float, p0: float) -> float:
    total = 0.0
    for one, other in ((p1, p0), (1 - p1, 1 - p0)):
        if one > 0:
            total += one * math.log(one / other) if other > 0 else math.inf
    return total


def by_bisection(block, toward, margin) -> float:
    """The same point by plain bisection on the derivative, one float at a time."""
    (n_c, n_b), (c1, b1), (rho, delta) = block, toward, margin

    def slope(b: float) -> float:
        c = rho * b + delta
        return n_c * rho * (c - c1) / (c * (1 - c)) + n_b * (b - b1) / (b * (1 - b))

    ends = sorted((b1, (c1 - delta) / rho))
    low, high = max(ends[0], 1e-18), min(ends[1], (1 - delta) / rho - 1e-16)
    for _ in range(300):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 0.5 * (low + high)


def block_of(n_c: float, n_b: float, e_c: float = 0, e_b: float = 0) -> Block:
    return Block(*(np.asarray(float(count)) for count in (n_c, e_c, n_b, e_b)))


def point(c: float, b: float) -> Point:
    return Point(np.asarray(float(c)), np.asarray(float(b)))


rates = st.one_of(
    st.floats(TINY, 0.97), st.floats(-13.5, 3.0).map(lambda x: float(expit(np.float64(x)))).filter(lambda p: p >= TINY)
)
counts = st.one_of(st.integers(1, 50), st.integers(1, 10**7))


@given(n_c=counts, n_b=counts, c1=rates, b1=rates, margin=st.sampled_from(MARGINS))
def test_the_projection_is_what_plain_bisection_finds(n_c, n_b, c1, b1, margin):
    rho, delta = margin
    c0, b0 = project(block_of(n_c, n_b), point(c1, b1), margin)
    expected = by_bisection((n_c, n_b), (c1, b1), margin)
    assert float(b0) == pytest.approx(expected, rel=1e-8, abs=1e-15)
    assert float(c0) == pytest.approx(rho * expected + delta, rel=1e-8)


@given(n_c=counts, n_b=counts, c1=rates, b1=rates, margin=st.sampled_from(MARGINS))
def test_no_other_point_of_the_edge_is_nearer(n_c, n_b, c1, b1, margin):
    rho, delta = margin
    _, b0 = project(block_of(n_c, n_b), point(c1, b1), margin)

    def far(b: float) -> float:
        return (n_c * divergence(c1, rho * b + delta) + n_b * divergence(b1, b)) / (n_c + n_b)

    best = far(float(b0))
    for b in np.linspace(1e-9, (1 - delta) / rho - 1e-9, 101):
        assert best <= far(float(b)) * (1 + 1e-9) + 1e-12


def expected_evidence(sizes, toward, margin, null_points):
    """E[S] at each null point, summed over every possible outcome of the block."""
    n_c, n_b = sizes
    against = project(block_of(n_c, n_b), toward, margin)
    for p_c, p_b in null_points:
        total = 0.0
        for e_c, e_b in itertools.product(range(n_c + 1), range(n_b + 1)):
            chance = (
                math.comb(n_c, e_c) * p_c**e_c * (1 - p_c) ** (n_c - e_c)
                * math.comb(n_b, e_b) * p_b**e_b * (1 - p_b) ** (n_b - e_b)
            )  # fmt: skip
            total += chance * math.exp(log_evalue(block_of(n_c, n_b, e_c, e_b), toward, against))
        yield p_c, p_b, total


@pytest.mark.parametrize(("n_c", "n_b"), [(1, 1), (1, 9), (7, 2), (3, 3), (10, 1)])
@pytest.mark.parametrize("margin", MARGINS)
def test_the_expected_evidence_is_at_most_one_everywhere_in_the_null(n_c, n_b, margin):
    rho, delta = margin
    grid = [0.0, 0.0003, 0.001, 0.004, 0.01, 0.05, 0.2, 0.5, 0.79, 0.9, 0.999, 1.0]
    null = [(p_c, p_b) for p_b in grid for p_c in {*grid, min(1.0, rho * p_b + delta)} if p_c <= rho * p_b + delta]
    for b1, lift in itertools.product((0.0005, 0.01, 0.3), (0.3, 1.1, 3.2, 8.0)):
        edge = rho * b1 + delta
        c1 = min(0.98, float(expit(logit(np.float64(edge)) + lift)))
        for p_c, p_b, total in expected_evidence((n_c, n_b), point(c1, b1), margin, null):
            assert total <= 1 + 1e-9, (p_c, p_b, b1, c1)


@pytest.mark.parametrize(("n_c", "n_b"), [(1, 1), (2, 6), (6, 2)])
@pytest.mark.parametrize("margin", [Margin(1.25, 0.01), Margin(1.0, 0.01)])
def test_the_expected_evidence_for_not_worse_is_at_most_one_wherever_it_is_worse(n_c, n_b, margin):
    rho, delta = margin
    grid = [0.0, 0.001, 0.01, 0.05, 0.3, 0.7, 1.0]
    worse = [(p_c, p_b) for p_b in grid for p_c in {*grid, rho * p_b + delta} if rho * p_b + delta <= p_c <= 1]
    for b1 in (0.0001, 0.001, 0.05, 0.4):
        for p_c, p_b, total in expected_evidence((n_c, n_b), point(b1, b1), margin, worse):
            assert total <= 1 + 1e-9, (p_c, p_b, b1)


def test_the_edge_point_itself_expects_exactly_one():
    toward, margin = point(0.3, 0.02), Margin(1.25, 0.001)
    edge = project(block_of(4, 7), toward, margin)
    ((_, _, total),) = expected_evidence((4, 7), toward, margin, [(float(edge.c), float(edge.b))])
    assert total == pytest.approx(1.0, abs=1e-12)


@given(sizes=st.tuples(*[st.integers(1, 10**7)] * 2), shares=st.tuples(*[st.floats(0, 1)] * 2), c1=rates, b1=rates)
def test_evidence_is_finite_for_any_counts(sizes, shares, c1, b1):
    (n_c, n_b), toward = sizes, point(c1, b1)
    against = project(block_of(n_c, n_b), toward, Margin(1.25, 0.001))
    bad = round(n_c * shares[0]), round(n_b * shares[1])
    assert math.isfinite(float(log_evalue(block_of(n_c, n_b, *bad), toward, against)))
    assert float(log_evalue(block_of(0, 0), toward, against)) == 0


def test_ten_million_requests_at_the_edge_do_not_drift_above_one():
    """At the null's point the expectation of S stays 1 even for blocks where n times a rounding error could count."""
    n_c, n_b = 10**7, 10**7
    c1, b1, rho, delta = 0.00226, 0.001, 1.25, 0.001
    c0, b0 = (float(x) for x in project(block_of(n_c, n_b), point(c1, b1), Margin(rho, delta)))
    for b in (b0 * 0.999, b0, b0 * 1.001):
        c = rho * b + delta
        grown = n_c * math.log1p((c - c0) * (c1 - c0) / (c0 * (1 - c0))) + n_b * math.log1p(
            (b - b0) * (b1 - b0) / (b0 * (1 - b0))
        )
        assert grown <= 1e-6


@given(c1=rates, b1=rates)
def test_without_a_margin_the_point_is_the_pooled_share(c1, b1):
    _, b0 = project(block_of(3, 5), point(c1, b1), Margin(1.0, 0.0))
    assert float(b0) == pytest.approx((3 * c1 + 5 * b1) / 8, rel=1e-9)
