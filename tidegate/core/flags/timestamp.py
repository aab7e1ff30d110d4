"""Moments in rules: the W3C profile of ISO 8601, from `2024` to `2012-03-04T05:06:07.89-08:00`. No zone means UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_FORM = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d{0,9})?)?(Z|z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)


def parse_timestamp(text: str) -> datetime | None:
    """None for what is no moment. The beginning of the year, month or day when only these are given."""
    found = _FORM.fullmatch(text) if len(text) <= 48 else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups()[:6])
    micros = int((found[7] or "0")[:6].ljust(6, "0"))
    try:
        return datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, micros, tzinfo=_zone(found[8]))
    except ValueError:
        return None


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    span = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-span if text[0] == "-" else span)


def say_timestamp(moment: datetime) -> str:
    """In full, with seconds and zone, so that it is never taken for a number; reads back as the same moment."""
    said = moment.isoformat()
    return said.removesuffix("+00:00") + "Z" if said.endswith("+00:00") else said
