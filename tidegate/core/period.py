"""Periods are whole multiples of their length since 1970, as CloudWatch's, so that all alarms of one length share them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def period_at(moment: datetime, length: timedelta) -> int:
    """The number of the period that this moment is in. A period has its beginning and not its end."""
    return (moment - EPOCH) // length


def period_until(moment: datetime, length: timedelta) -> int:
    """The number of the period that a span which ends at this moment is in: at its very end it is still in."""
    return -((EPOCH - moment) // length) - 1


def begin_of(number: int, length: timedelta) -> datetime:
    return EPOCH + number * length


def end_of(number: int, length: timedelta) -> datetime:
    return EPOCH + (number + 1) * length
