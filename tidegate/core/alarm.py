"""Alarms with CloudWatch's semantics."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import StringConstraints

from tidegate.core.document import Document
from tidegate.core.duration import Duration


class AlarmFile(Document):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    metric: str | None = None
    above: str | float | None = None
    period: Duration = timedelta(seconds=10)
    datapoints: str = "1 of 1"
    missing: Literal["missing", "ignore", "breaching", "not_breaching"] = "missing"
