"""Traffic is read as people write it."""

from __future__ import annotations

import pytest

from tidegate.core.errors import Invalid
from tidegate.core.rate import parse_rate, say_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [("30/s", 30), ("30", 30), ("1800/m", 30), ("2k/s", 2000), (" 1.5 k / s ", 1500), ("3600/h", 1), ("1M/s", 1e6), ("0", 0),
     ("86400/d", 1), ("0.2/s", 0.2), ("60/min", 1)],
)  # fmt: skip
def test_traffic_is_read_with_its_unit(text, rate):
    assert parse_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["", "fast", "-3/s", "30/y", "3K/s", "1e3", "nan", "10 000", "30s", "11M/s", "99999999999999"])
def test_what_is_no_traffic_is_refused_with_its_mend(text):
    with pytest.raises(Invalid) as refused:
        parse_rate(text)
    assert refused.value.mend


@pytest.mark.parametrize(
    ("rate", "said"),
    [(0, "0"), (0.02, "0.02"), (1.54, "1.54"), (30, "30"), (99.96, "100"), (1234.4, "1,234"), (1e-5, "less than 0.001")],
)
def test_a_rate_is_said_with_the_digits_that_matter(rate, said):
    assert say_rate(rate) == said
