"""Figures as people read them, everywhere alike. What was not counted is a dash, never zero."""

from __future__ import annotations

from datetime import timedelta

from tidegate.core.duration import say_duration

NONE = "-"


def share(value: float | None) -> str:
    """0.0123 as 1.2%."""
    if value is None:
        return NONE
    percent = value * 100
    if percent == 0 or percent >= 99.95:
        return f"{percent:.0f}%"
    return f"{percent:.2f}%" if percent < 1 else f"{percent:.1f}%"


def milliseconds(value: float | None) -> str:
    if value is None:
        return NONE
    if value >= 1000:
        return f"{value / 1000:.1f}s"
    return f"{value:.0f}ms" if value >= 10 else f"{value:.1f}ms"


def rate(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def span(value: timedelta | None) -> str:
    """To the second."""
    return NONE if value is None else say_duration(timedelta(seconds=round(value.total_seconds())))


def count(number: int, noun: str) -> str:
    """`1 request`, `1,240 requests`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
