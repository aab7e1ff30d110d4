"""Alarms as service files write them. How they behave, which is as CloudWatch's, is in `alarm_evaluation.py`.

A metric alarm compares a metric with a limit; a composite alarm (`when`) combines other alarms.
"""

from __future__ import annotations

import difflib
import re
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from tidegate.core.composite import Rule, parse_rule
from tidegate.core.document import Document
from tidegate.core.duration import Duration, say_duration
from tidegate.core.errors import Invalid
from tidegate.core.limit import Limit, Unit, WrittenLimit
from tidegate.core.metric_name import MetricName, Source, parse_metric_name, percentile

MOST_PERIODS = 360
"""An hour of ten-second periods."""
LONGEST = timedelta(days=1)


class Missing(StrEnum):
    """What a period without data counts as, when there are not enough periods with data."""

    MISSING = "missing"  # nothing: without any data at all the state is INSUFFICIENT_DATA
    IGNORE = "ignore"  # the state stays as it is
    BREACHING = "breaching"
    NOT_BREACHING = "not_breaching"


class Of(StrEnum):
    """Whose figures an alarm looks at."""

    CANDIDATE = "candidate"
    BASELINE = "baseline"
    SERVICE = "service"


class Comparison(StrEnum):
    ABOVE = "above"
    AT_LEAST = "at_least"
    BELOW = "below"
    AT_MOST = "at_most"

    @property
    def said(self) -> str:
        return self.value.replace("_", " ")

    def breaches(self, value: float, limit: float) -> bool:
        match self:
            case Comparison.ABOVE:
                return value > limit
            case Comparison.AT_LEAST:
                return value >= limit
            case Comparison.BELOW:
                return value < limit
            case _:
                return value <= limit


STATISTICS = ("average", "sum", "minimum", "maximum", "count")
_DATAPOINTS = re.compile(r"([1-9]\d{0,3})\s+of\s+([1-9]\d{0,3})")


class AlarmFile(Document):
    """`metric` with one of above, at_least, below and at_most; or `when` with other alarms; or `cloudwatch`."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    metric: str | None = None
    """error_rate, requests, p50, p90, p99, p99.9 or tasks_healthy; tasks:NAME{label="value"} for what the tasks expose at
    `tasks.metrics`; pushed:NAME{label="value"} for what is pushed; cloudwatch:NAMESPACE/NAME{Dimension="value"} for what
    CloudWatch has, where {version} in a value is that of the side; prometheus:QUERY for what a Prometheus server answers
    to this PromQL, with {version} and {service} filled in. In an environment's file also flag:NAME{variant="on"},
    of the requests that asked for that flag."""
    above: WrittenLimit | None = None
    """Breaching above this limit: `1%` for error_rate, `800ms` for a latency, a number for the others."""
    at_least: WrittenLimit | None = None
    """Breaching at this limit and above."""
    below: WrittenLimit | None = None
    """Breaching below this limit."""
    at_most: WrittenLimit | None = None
    """Breaching at this limit and below."""
    statistic: str | None = None
    """Of metrics of tasks and pushed ones: average (default), sum, minimum, maximum, count, or a percentile as p99.9. Of
    a flag: average (default: the share of its requests that failed), count (their number), or a percentile of their latency."""
    period: Duration = timedelta(seconds=10)
    """Length of the periods that become one figure each, from 1s. They begin at whole multiples since 1970."""
    datapoints: str = "1 of 1"
    """How many of the last periods have to be breaching, as `2 of 3`."""
    missing: Missing = Missing.MISSING
    """What a period without data counts as."""
    of: Of = Of.CANDIDATE
    """Whose figures. Outside of a rollout there is only the service."""
    rollback: bool = True
    """Whether it rolls back. One that does not is shown, and may be used in composite alarms."""
    when: Annotated[str, Field(min_length=1)] | None = None
    """A composite alarm: ALARM(errors) AND (ALARM(slow) OR NOT OK(queue))."""

    cloudwatch: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,255}$")] | None = None
    """An alarm of CloudWatch, by its name. It fires while CloudWatch says ALARM; `missing` says what INSUFFICIENT_DATA is."""

    @field_validator("metric")
    @classmethod
    def _known(cls, metric: str | None) -> str | None:
        if metric is None:
            return None
        try:
            return str(parse_metric_name(metric))
        except Invalid as wrong:
            raise ValueError(str(wrong)) from wrong

    @field_validator("when")
    @classmethod
    def _readable(cls, when: str | None) -> str | None:
        try:
            if when is not None:
                parse_rule(when)
        except Invalid as wrong:
            raise ValueError(str(wrong)) from wrong
        return when

    @field_validator("statistic")
    @classmethod
    def _known_statistic(cls, statistic: str | None) -> str | None:
        if statistic is None or statistic in STATISTICS or percentile(statistic) is not None:
            return statistic
        close = difflib.get_close_matches(statistic, STATISTICS, n=1)
        mend = f"Did you mean {close[0]!r}?" if close else f"Use {', '.join(STATISTICS)} or a percentile as p99."
        raise ValueError(f"{statistic[:40]!r} is no statistic.\n{mend}")

    @field_validator("period")
    @classmethod
    def _not_too_short(cls, period: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= period <= LONGEST or period % timedelta(seconds=1):
            raise ValueError(f"a period of {say_duration(period)} cannot be had.\nGive whole seconds, from 1s to 1d.")
        return period

    @field_validator("datapoints")
    @classmethod
    def _m_of_n(cls, datapoints: str) -> str:
        found = _DATAPOINTS.fullmatch(datapoints.strip())
        if found is None:
            raise ValueError(f"{datapoints[:40]!r} does not say how many of how many periods.\nWrite it as 2 of 3.")
        wanted, of = int(found[1]), int(found[2])
        if wanted > of:
            raise ValueError(f"{wanted} of {of} periods can never be.\nThe first number is at most the second, as in 2 of 3.")
        if of > MOST_PERIODS:
            raise ValueError(f"{of} periods are too many to keep.\nUse at most {MOST_PERIODS}, or a longer period.")
        return f"{wanted} of {of}"

    @model_validator(mode="after")
    def _one_kind(self) -> AlarmFile:
        given = [kind for kind in ("metric", "when", "cloudwatch") if getattr(self, kind) is not None]
        if len(given) != 1:
            found = f"both {' and '.join(given)}" if given else "neither metric nor when"
            raise ValueError(
                f"alarm {self.name} has {found}.\nGive one: metric to compare with a limit, when to combine alarms, "
                "cloudwatch for an alarm of CloudWatch."
            )
        if self.cloudwatch is not None:
            self._has_none_of(*_LIMITS, "statistic", "period", "datapoints", "of", why="CloudWatch has it")
        elif self.when is not None:
            self._has_none_of(
                *_LIMITS, "statistic", "period", "datapoints", "missing", "of", why="the alarms in `when` have it"
            )
        else:
            self._check_metric(self.metric_name)
        return self

    def _has_none_of(self, *keys: str, why: str) -> None:
        fields, kind = type(self).model_fields, "a composite alarm" if self.when else "an alarm of CloudWatch"
        for key in keys:
            # Compared with the default, not with what was given: a stored document gives everything.
            if getattr(self, key) != fields[key].default:
                raise ValueError(f"alarm {self.name} is {kind} and has {key}.\nRemove {key}: {why}.")

    def _check_metric(self, metric: MetricName) -> None:
        given = [comparison for comparison in Comparison if getattr(self, comparison) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"alarm {self.name} needs one of {', '.join(Comparison)}; found {found}.\nKeep one of them.")
        if metric.source is Source.FLAG:
            self._check_statistic_of_flag()
        _check_unit(metric, _unit(metric, self.statistic), given[0], self.limit)
        if self.statistic is not None and metric.source is Source.ROUTER:
            raise ValueError(f"alarm {self.name}: {metric} has no statistic to choose.\nRemove statistic: {self.statistic}.")
        if self.statistic is not None and metric.source is Source.PROMETHEUS:
            raise ValueError(
                f"alarm {self.name}: a query says itself how it adds up.\n"
                f"Remove statistic: {self.statistic}, and write it in PromQL, as max_over_time(...)."
            )
        if metric.source is Source.CLOUDWATCH and not _is_period_of_cloudwatch(self.period):
            raise ValueError(
                f"alarm {self.name}: CloudWatch has no periods of {say_duration(self.period)}.\n"
                "Use 1s, 5s, 10s, 20s, 30s (of high-resolution metrics) or whole minutes."
            )
        if self.periods * self.period > LONGEST:
            raise ValueError(
                f"alarm {self.name} looks at {self.periods} periods of {say_duration(self.period)}, more than a day.\n"
                "Use fewer or shorter periods."
            )

    def _check_statistic_of_flag(self) -> None:
        if self.statistic not in (None, "average", "count") and percentile(self.statistic or "") is None:
            raise ValueError(
                f"alarm {self.name}: requests that ask for a flag have no {self.statistic}.\n"
                "Use average (the share that failed), count, or a percentile of their latency as p99."
            )

    @cached_property
    def metric_name(self) -> MetricName:
        """Of a metric alarm only."""
        if self.metric is None:
            raise ValueError(f"{self.name} is no metric alarm and has no metric")
        return parse_metric_name(self.metric)

    @cached_property
    def rule(self) -> Rule | None:
        return parse_rule(self.when) if self.when is not None else None

    @cached_property
    def comparison(self) -> Comparison:
        return next(comparison for comparison in Comparison if getattr(self, comparison) is not None)

    @cached_property
    def limit(self) -> Limit:
        limit: Limit = getattr(self, self.comparison)
        return limit

    @cached_property
    def wanted(self) -> int:
        """M of M of N: CloudWatch's datapoints to alarm."""
        return int(self.datapoints.split()[0])

    @cached_property
    def periods(self) -> int:
        """N of M of N: CloudWatch's evaluation periods."""
        return int(self.datapoints.split()[-1])

    @property
    def evaluation_range(self) -> int:
        """How many periods are looked at, so that older data can stand in for missing data.

        The documentation gives no rule, only the example of 5 for 3.
        """
        return self.periods + 2

    @cached_property
    def said(self) -> str:
        """The alarm in one line: `error_rate of the candidate above 1% in 2 of 3 periods of 10s`."""
        if self.when is not None:
            return self.when
        if self.cloudwatch is not None:
            return f"CloudWatch's alarm {self.cloudwatch}"
        of = "" if self.of is Of.SERVICE else f" of the {self.of}"
        statistic = f"{self.statistic or 'average'} of " if self.metric_name.has_statistics else ""
        condition = f"{self.comparison.said} {self.limit}"
        return f"{statistic}{self.metric}{of} {condition} in {self.datapoints} periods of {say_duration(self.period)}"

    def breaches(self, value: float) -> bool:
        return self.comparison.breaches(value, self.limit.value)


_LIMITS = ("above", "at_least", "below", "at_most")
_HIGH_RESOLUTION = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 10, 20, 30))


def _is_period_of_cloudwatch(period: timedelta) -> bool:
    return period in _HIGH_RESOLUTION or not period % timedelta(minutes=1)


def _unit(metric: MetricName, statistic: str | None) -> Unit:
    if metric.source is not Source.FLAG:
        return metric.unit
    if statistic in (None, "average"):
        return Unit.SHARE
    return Unit.NUMBER if statistic == "count" else Unit.DURATION


def _check_unit(metric: MetricName, unit: Unit, key: Comparison, limit: Limit) -> None:
    if limit.unit is unit:
        return
    match unit:
        case Unit.SHARE:
            told = f"{metric} is a share, and {limit} is none"
            mend = f"{key}: {limit.value * 100:g}%" if limit.unit is Unit.NUMBER and 0 <= limit.value <= 1 else f"{key}: 1%"
        case Unit.DURATION:
            told = f"{metric} is a duration, and {limit} is none"
            mend = f"{key}: {limit.value:g}ms" if limit.unit is Unit.NUMBER and limit.value > 0 else f"{key}: 800ms"
        case _:
            told = f"{metric} is a plain number, and {limit} has a unit"
            mend = f"{key}: 20"
    raise ValueError(f"{told}.\nWrite it as {mend}.")
