"""The block e-value needs as many blocks as its published designs say (shared figures of the safestats package)."""

from __future__ import annotations

import pytest

from benchmarks.simulation.published import BALANCED, UNBALANCED, Design, size


def test_a_large_difference_needs_the_published_number_of_blocks():
    got = size(Design(1, 1, 0.557143, BALANCED), runs=500, points=6, seed=3)
    assert got.quantile == pytest.approx(24, rel=0.15)
    assert got.expected == pytest.approx(14.59, rel=0.15)


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("design", "published"),
    [
        (Design(1, 1, 0.3, BALANCED), 95),
        (Design(1, 1, 0.3, BALANCED), 98.2),
        pytest.param(
            Design(1, 1, 0.385714, BALANCED),
            69,
            # The one published figure that is not met: ours is 57, and the design's own published mean asks for about 58.
            marks=pytest.mark.xfail(strict=True, reason="published as 69; 57 here"),
        ),
        (Design(1, 1, 0.471429, BALANCED), 40.4),
        (Design(2, 1, 0.3, UNBALANCED), 79),
        (Design(2, 1, 0.385714, UNBALANCED), 47),
        (Design(2, 1, 0.3, (2, 2, 1, 1)), 56),
        (Design(1, 1, 0.3, BALANCED, restricted=True), 54),
    ],
)
def test_every_published_design_is_met_within_its_own_noise(design, published):
    assert size(design, runs=1000, points=8, seed=1).quantile == pytest.approx(published, rel=0.12)


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("design", "published"),
    [
        (Design(1, 1, 0.3, BALANCED), 56.03),
        (Design(1, 1, 0.385714, BALANCED), 33.04),
        (Design(1, 1, 0.471429, BALANCED), 21.77),
        (Design(2, 1, 0.385714, UNBALANCED), 27.94),
        (Design(2, 1, 0.3, (2, 2, 1, 1)), 33.81),
    ],
)
def test_every_published_design_ends_as_early_as_published(design, published):
    """The mean is the steadier figure. The published 80 % of the second one (69) is an outlier of a short run: between its
    neighbours (98 and 40) it should be 58, as its mean says and as ours is."""
    assert size(design, runs=1000, points=8, seed=1).expected == pytest.approx(published, rel=0.08)
