"""The name of a metric as an alarm writes it, and which measurements it means.

error_rate  requests  tasks_healthy  p50 p90 p99 p99.9   what the router counts, of finished attempts; any pNN will do
tasks:NAME{label="value"}                                what the service's tasks expose at `tasks.metrics`
pushed:NAME{label="value"}                               what is pushed to Tidegate
flag:NAME{variant="on"}                                  how requests ended that asked for this flag
cloudwatch:NAMESPACE/NAME{Dimension="value"}             what CloudWatch has; see core/told_series.py
prometheus:QUERY                                         what a Prometheus server answers to this PromQL

Label matchers are those of Prometheus: = != =~ !~, where a label that is not there is empty and an expression has to match
the whole value.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tidegate.core.errors import Invalid
from tidegate.core.limit import Unit

BUILT_IN = ("error_rate", "requests", "p50", "p90", "p99", "p99.9", "tasks_healthy")
MOST_MATCHERS = 16
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}")
_FLAG = re.compile(r"[^\s{}|\x00-\x1f]{1,200}")
_CLOUDWATCH = re.compile(r"[A-Za-z0-9._/#:-][A-Za-z0-9 ._/#:-]{0,254}/[^\s/{}][^/{}\n]{0,254}")
MOST_QUERY = 4000
_MATCHER = re.compile(r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*(,|$)""")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?|100(?:\.0{1,3})?)")


class Source(StrEnum):
    ROUTER = "router"
    TASKS = "tasks"
    PUSHED = "pushed"
    CLOUDWATCH = "cloudwatch"
    PROMETHEUS = "prometheus"
    FLAG = "flag"

    @property
    def is_told(self) -> bool:
        """Whether a server adds up by itself, and is asked for the figures of whole periods."""
        return self in (Source.CLOUDWATCH, Source.PROMETHEUS)


@dataclass(frozen=True, slots=True)
class Matcher:
    label: str
    operator: str  # = != =~ !~
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        found = labels.get(self.label, "")
        match self.operator:
            case "=":
                return found == self.value
            case "!=":
                return found != self.value
            case "=~":
                return re.fullmatch(self.value, found) is not None
            case _:
                return re.fullmatch(self.value, found) is None

    def __str__(self) -> str:
        quoted = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{self.operator}"{quoted}"'


@dataclass(frozen=True, slots=True)
class MetricName:
    source: Source
    name: str
    matchers: tuple[Matcher, ...] = ()

    @property
    def unit(self) -> Unit:
        if self.source is not Source.ROUTER:
            return Unit.NUMBER
        if self.name == "error_rate":
            return Unit.SHARE
        return Unit.DURATION if self.share is not None else Unit.NUMBER

    @property
    def share(self) -> float | None:
        """0.99 for the router's p99; None for what is no percentile."""
        return percentile(self.name) if self.source is Source.ROUTER else None

    @property
    def has_statistics(self) -> bool:
        """Whether an alarm chooses how its values become one figure."""
        return self.source not in (Source.ROUTER, Source.PROMETHEUS)

    def selects(self, labels: Mapping[str, str]) -> bool:
        return all(matcher.matches(labels) for matcher in self.matchers)

    def __str__(self) -> str:
        if self.source is Source.ROUTER:
            return self.name
        within = ",".join(str(matcher) for matcher in self.matchers)
        return f"{self.source}:{self.name}{'{' + within + '}' if within else ''}"


def percentile(text: str) -> float | None:
    """0.999 for `p99.9`; None for what is no percentile."""
    found = _PERCENTILE.fullmatch(text)
    return float(found[1]) / 100 if found else None


@functools.lru_cache(maxsize=4096)
def parse_metric_name(text: str) -> MetricName:
    """Reads the name of a metric. Raises Invalid, with the nearest name as the mend."""
    written = text.strip()
    source, colon, rest = written.partition(":")
    if colon and source in (Source.TASKS, Source.PUSHED):
        return _labelled(Source(source), rest.strip(), written)
    if colon and source == Source.FLAG:
        return _of_flag(rest.strip(), written)
    if colon and source == Source.CLOUDWATCH:
        return _of_cloudwatch(rest.strip(), written)
    if colon and source == Source.PROMETHEUS:
        return MetricName(Source.PROMETHEUS, _promql(rest.strip(), written))
    if written in BUILT_IN or percentile(written) is not None:
        return MetricName(Source.ROUTER, written)
    raise Invalid(f"There is no metric {written[:80]!r}.", _nearest(written))


def _nearest(written: str) -> str:
    source, colon, rest = written.partition(":")
    if colon and (close := difflib.get_close_matches(source, tuple(Source)[1:], n=1)):
        return f"Did you mean '{close[0]}:{rest[:80]}'?"
    if close := difflib.get_close_matches(written, BUILT_IN, n=1, cutoff=0.5):
        return f"Did you mean {close[0]!r}?"
    known = f"Known: {', '.join(BUILT_IN)}; tasks:NAME for what tasks expose, pushed:NAME for what is pushed"
    known = f"{known}, flag:NAME for requests that ask for a flag, cloudwatch:NAMESPACE/NAME for what CloudWatch has"
    return f"{known}, prometheus:QUERY for PromQL."


def _labelled(source: Source, rest: str, written: str) -> MetricName:
    name, brace, within = rest.partition("{")
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name[:80]!r} in {written[:80]!r} is no name of a metric.",
            f'Use letters, digits, _ and :, as {source}:queue_depth or {source}:queue_depth{{queue="mail"}}.',
        )
    if not brace:
        return MetricName(source, name)
    if not within.endswith("}"):
        raise Invalid(f"The labels in {written[:80]!r} do not end.", "Close them with }.")
    return MetricName(source, name, _matchers(within[:-1], written))


def _of_flag(rest: str, written: str) -> MetricName:
    """The one label that there is: which variant they got."""
    name, brace, within = rest.partition("{")
    if not _FLAG.fullmatch(name):
        raise Invalid(f"{name[:80]!r} in {written[:80]!r} is no name of a flag.", "Write flag:NAME, as flag:checkout.")
    if brace and not within.endswith("}"):
        raise Invalid(f"The labels in {written[:80]!r} do not end.", "Close them with }.")
    matchers = _matchers(within[:-1], written) if brace else ()
    for matcher in matchers:
        if matcher.label != "variant":
            raise Invalid(
                f"A flag has no label {matcher.label!r}.", 'Its one label is the variant: flag:checkout{variant="on"}.'
            )
    return MetricName(Source.FLAG, name, matchers)


def _of_cloudwatch(rest: str, written: str) -> MetricName:
    """All of a metric's dimensions have to be given, as CloudWatch wants them: others are other metrics."""
    name, brace, within = rest.partition("{")
    if not _CLOUDWATCH.fullmatch(name.strip()):
        raise Invalid(
            f"{written[:80]!r} does not name a metric of CloudWatch.",
            'Write cloudwatch:NAMESPACE/NAME{Dimension="value"}, as cloudwatch:AWS/SQS/ApproximateAgeOfOldestMessage.',
        )
    if brace and not within.endswith("}"):
        raise Invalid(f"The dimensions in {written[:80]!r} do not end.", "Close them with }.")
    matchers = _matchers(within[:-1], written) if brace else ()
    for matcher in matchers:
        if matcher.operator != "=":
            raise Invalid(f"CloudWatch knows no {matcher.operator} between a dimension and its value.", "Use =.")
    return MetricName(Source.CLOUDWATCH, name.strip(), matchers)


def _promql(query: str, written: str) -> str:
    """In one line. Whether it is PromQL, the server says before the start."""
    if not query:
        raise Invalid(
            f"{written[:80]!r} asks nothing.", 'Write PromQL, as prometheus:sum(rate(errors_total{version="{version}"}[1m])).'
        )
    if len(query) > MOST_QUERY:
        raise Invalid(f"A query of {len(query):,} characters is too long.", f"Use at most {MOST_QUERY:,}: a recording rule.")
    if "\n" in query and "#" in query:
        raise Invalid("A query of several lines has a comment.", "Leave comments out of it.")
    return " ".join(line.strip() for line in query.splitlines())


def _matchers(within: str, written: str) -> tuple[Matcher, ...]:
    matchers: list[Matcher] = []
    place = 0
    while within[place:].strip():
        found = _MATCHER.match(within, place)
        if found is None:
            raise Invalid(
                f"The labels {within[place:].strip()[:60]!r} in {written[:80]!r} cannot be read.",
                'Write label="value"; the operators are = != =~ !~, with a comma between two labels.',
            )
        matchers.append(_matcher(found[1], found[2], _unquote(found[3]), written))
        place = found.end()
    if len(matchers) > MOST_MATCHERS:
        raise Invalid(f"{written[:80]!r} has {len(matchers)} labels.", f"Use at most {MOST_MATCHERS}.")
    return tuple(matchers)


def _matcher(label: str, operator: str, value: str, written: str) -> Matcher:
    if operator.endswith("~"):
        try:
            re.compile(value)
        except re.error as wrong:
            raise Invalid(f"{value[:60]!r} in {written[:80]!r} is no expression: {wrong}.", "Correct it, or use =.") from wrong
    return Matcher(label, operator, value)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def _unquote(quoted: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), quoted[1:-1], flags=re.DOTALL)


def refuse_unknown(metric: MetricName, known: Iterable[str], where: str = "metric") -> None:
    """Raises Invalid when nothing of this name is among those that its source knows now."""
    names = sorted(set(known))
    if metric.source is Source.ROUTER or metric.name in names:
        return
    close = difflib.get_close_matches(metric.name, names, n=1, cutoff=0.5)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    mend = f"Did you mean '{metric.source}:{close[0]}'?" if close else f"Known there: {shown or 'nothing yet'}."
    who = "No task exposes" if metric.source is Source.TASKS else "Nobody has pushed"
    raise Invalid(f"{who} a metric {metric.name!r}.", mend, where)
