"""How much traffic, as people write it: `30/s`, `30`, `1800/m`, `2k/s`."""

from __future__ import annotations

import re

from tidegate.core.errors import Invalid, quote

MOST = 10_000_000.0
"""Requests a second. Nobody has more at one service."""
_RATE = re.compile(r"(?P<count>\d{1,12}(?:\.\d{1,6})?)\s*(?P<times>[kM]?)\s*(?:/\s*(?P<span>s|sec|m|min|h|d))?")
_TIMES = {"": 1, "k": 1_000, "M": 1_000_000}
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def parse_rate(text: str) -> float:
    """Requests a second. A bare number is one already. Raises Invalid."""
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise Invalid(f"{quote(text)} is no traffic.", "Write requests a second, as 30/s, or 1800/m, or 2k/s.")
    rate = float(found["count"]) * _TIMES[found["times"]] / _SECONDS[found["span"] or "s"]
    if rate > MOST:
        raise Invalid(f"{quote(text)} is more than {MOST:,.0f} requests a second.", "Write less.")
    return rate


def say_rate(rate: float) -> str:
    """`0.02`, `1.5`, `30`, `1,234`: the digits that matter."""
    if rate >= 100 or rate == round(rate):
        return f"{rate:,.0f}"
    return f"{rate:.3g}" if rate >= 1e-3 else "less than 0.001"
