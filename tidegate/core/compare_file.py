"""What a service file says about comparing the candidate with the baseline: `compare`. On by default.

The margins say how much worse is still harmless; everything else of a comparison (core/comparison.py) is not for users.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic import SerializerFunctionWrapHandler as Write

from tidegate.core.document import Document
from tidegate.core.duration import Duration
from tidegate.core.errors import Invalid, quote
from tidegate.core.metric_name import Source, parse_metric_name

MOST_METRICS = 8
LEAST_SLOWER, MOST_SLOWER = 0.05, 9.0
"""Latency is counted in bins that are 5 to 13 % wide: nothing finer could be told."""

_MARGIN = re.compile(r"(?:(?P<times>\d{1,3}(?:\.\d{1,6})?)\s*x)?\s*(?P<plus>\+)?\s*(?:(?P<points>\d{1,3}(?:\.\d{1,6})?)\s*pp)?")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%")


def parse_margin(text: str) -> tuple[float, float]:
    """`1.25x + 0.1pp` as (1.25, 0.001): up to so many times the baseline's share, and so many percentage points more."""
    found = _MARGIN.fullmatch(text.strip())
    if (
        found is None
        or not (found["times"] or found["points"])
        or bool(found["plus"]) != bool(found["times"] and found["points"])
    ):
        raise Invalid(
            f"{quote(text)} is no margin.", "Write 1.25x + 0.1pp: so many times the baseline's, and so many points more."
        )
    times, points = float(found["times"] or 1), float(found["points"] or 0) / 100
    if times < 1:
        raise Invalid(f"a margin of {found['times']}x asks for less than the baseline's own.", "Write at least 1x.")
    if points >= 1 or times > 100:
        raise Invalid(f"a margin of {quote(text)} would call everything harmless.", "Write less, as 1.25x + 0.1pp.")
    if times == 1 and points == 0:
        raise Invalid("a margin of nothing blames a candidate for any difference.", "Write a little more, as 1x + 0.05pp.")
    return times, points


def parse_percent(text: str) -> float:
    """`10%` as 0.1."""
    if found := _PERCENT.fullmatch(text.strip()):
        return float(found[1]) / 100
    raise Invalid(f"{quote(text)} is no share.", "Write it in percent, as 0.1%.")


def _margin(content: Any) -> str:
    return _checked(content, parse_margin)


def _slower(content: Any) -> str:
    def read(text: str) -> None:
        if not LEAST_SLOWER <= parse_percent(text) <= MOST_SLOWER:
            raise Invalid(f"a latency margin of {quote(text)} cannot be told.", "Write between 5% and 900%.")

    return _checked(content, read)


def _alpha(content: Any) -> str:
    def read(text: str) -> None:
        if not 1e-6 <= parse_percent(text) <= 0.1:
            raise Invalid(
                f"an alpha of {quote(text)} is not between 0.0001% and 10%.", "Write 0.1%, one in a thousand rollouts."
            )

    return _checked(content, read)


def _checked(content: Any, read: Any) -> str:
    if not isinstance(content, str):
        raise ValueError(f"{content!r} is not a text.\nWrite it with its unit.")
    try:
        read(content)
    except Invalid as wrong:
        raise ValueError(str(wrong)) from wrong
    return " ".join(content.split())


def _text(check: Any, *examples: str) -> Any:
    return Annotated[
        str,
        PlainValidator(check),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string", "examples": list(examples)}),
    ]


class ErrorsMargin(Document):
    margin: _text(_margin, "1.25x + 0.1pp") = "1.25x + 0.1pp"  # type: ignore[valid-type]
    """Up to how much more often than the baseline the candidate may fail."""


class LatencyMargin(Document):
    margin: _text(_slower, "10%") = "10%"  # type: ignore[valid-type]
    """Up to how much slower than the baseline the candidate may be, at its p50, p75, p90, p99 and p99.9."""


_ASKED = ("bad", "of", "histogram")


class OwnMetric(Document):
    """A metric of your own: `bad` and `of` (counters: how often it went wrong, of how many), or `histogram` (in seconds)."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    bad: str | None = None
    """A counter, as tasks:checkout_failed_total or pushed:checkout_failed_total{shop="uk"}; or a query of PromQL for the
    counter itself, no rate and no sum, as prometheus:checkout_failed_total{version="{version}"}."""
    of: str | None = None
    """The counter of all, as tasks:checkout_total."""
    histogram: str | None = None
    """A histogram in seconds without its _bucket, as tasks:render_seconds; of PromQL with it, as
    prometheus:render_seconds_bucket{version="{version}"}. It is compared as latency is."""

    @field_validator(*_ASKED)
    @classmethod
    def _known(cls, metric: str | None) -> str | None:
        if metric is None:
            return None
        try:
            name = parse_metric_name(metric)
        except Invalid as wrong:
            raise ValueError(str(wrong)) from wrong
        if name.source is Source.ROUTER:
            raise ValueError(f"{metric} is the router's own, and compared already.\nName one of tasks: or pushed: here.")
        if name.source is Source.PROMETHEUS and "{version}" not in name.name:
            raise ValueError(
                f"{quote(metric)} would be the same for both sides.\n"
                'Say whose it is: prometheus:checkout_failed_total{version="{version}"}.'
            )
        if name.source is Source.CLOUDWATCH:
            raise ValueError(
                f"{metric} is told a minute late, and added up already.\nUse it in an alarm; compare tasks: or pushed:."
            )
        return str(name)

    @model_validator(mode="after")
    def _one_kind(self) -> OwnMetric:
        given = tuple(key for key in _ASKED if getattr(self, key) is not None)
        if given not in (("bad", "of"), ("histogram",)):
            raise ValueError(f"{self.name} has {' and '.join(given) or 'no metric'}.\nGive both bad and of, or histogram.")
        return self

    @property
    def asked(self) -> tuple[str, ...]:
        """The metrics that it is made of."""
        return tuple(metric for key in _ASKED if (metric := getattr(self, key)) is not None)


def _or_off(schema: dict[str, Any]) -> None:
    """Editors learn that a comparison may be `off`, too."""
    mapping = {key: schema.pop(key) for key in list(schema) if key not in ("title", "description", "$defs")}
    schema["anyOf"] = [{"enum": ["off", False]}, mapping]


_OFF = ("off", False)


class CompareFile(Document):
    """How the candidate is compared with the baseline: at the same moments, on errors and latency, with a bounded chance of
    blaming a harmless one. `off` compares nothing."""

    model_config = ConfigDict(json_schema_extra=_or_off)
    takes_sentences = True

    errors: ErrorsMargin | None = ErrorsMargin()
    """null: errors are not compared."""
    latency: LatencyMargin | None = LatencyMargin()
    """null: latency is not compared."""
    alpha: _text(_alpha, "0.1%") = "0.1%"  # type: ignore[valid-type]
    """The chance that a whole rollout of a harmless candidate is rolled back by its comparison."""
    warmup: Duration = timedelta(seconds=10)
    """Latency of a candidate whose tasks are younger than this is not held against it; its errors are, and hanging is."""
    metrics: Annotated[tuple[OwnMetric, ...], Field(max_length=MOST_METRICS)] = ()
    """Metrics of your own that take part."""
    rollback: bool = True
    """Whether it rolls back. One that does not is shown."""

    @model_validator(mode="before")
    @classmethod
    def _off(cls, content: Any) -> Any:
        if isinstance(content, str | bool) and content in _OFF:
            return {"errors": None, "latency": None}
        if isinstance(content, str | bool):
            raise ValueError(
                f"{content!r} is no comparison.\nWrite off, or its keys: errors, latency, alpha, warmup, metrics, rollback."
            )
        if isinstance(content, dict):
            return {key: None if key in ("errors", "latency") and value in _OFF else value for key, value in content.items()}
        return content

    @field_validator("metrics")
    @classmethod
    def _each_once(cls, metrics: tuple[OwnMetric, ...]) -> tuple[OwnMetric, ...]:
        for name, count in Counter(metric.name for metric in metrics).items():
            if count > 1 or name in ("errors", "latency"):
                raise ValueError(f"the metric {name!r} is there already.\nGive it another name.")
        return metrics

    @model_serializer(mode="wrap")
    def _with_nulls(self, write: Write) -> dict[str, Any]:
        """`null` means something here and is not the default: it is written down also by who leaves out nulls."""
        nulls = {name: None for name in ("errors", "latency") if getattr(self, name) is None}
        return {**write(self), **nulls}

    @property
    def is_on(self) -> bool:
        return self.errors is not None or self.latency is not None or bool(self.metrics)

    @property
    def asked(self) -> tuple[str, ...]:
        """Metrics that neither the router nor an alarm asks for."""
        return tuple(metric for own in self.metrics for metric in own.asked)

    @property
    def said(self) -> str:
        """`errors up to 1.25x + 0.1pp, latency up to 10% slower`."""
        parts = [f"errors up to {self.errors.margin}"] if self.errors else []
        parts += [f"latency up to {self.latency.margin} slower"] if self.latency else []
        return ", ".join([*parts, *(own.name for own in self.metrics)])
