"""The state of an alarm, from the figures of its last periods. As CloudWatch does it.

1.  Looked at are the last N periods and, so that older data can stand in for missing data, two more: the *evaluation range*.
2.  With N figures or more in the range, the newest N decide: ALARM when at least M of them are breaching, else OK. What
    missing data counts as does not matter then.
3.  With fewer, all figures of the range count, and so many missing ones are filled in as are needed to make N:
    `breaching` ones are bad, `not_breaching` ones are good.
4.  `missing` fills in nothing: M breaching figures make an ALARM; no figure at all is INSUFFICIENT_DATA; else OK.
5.  `ignore` keeps the state, unless the figures alone decide: M breaching ones are an ALARM, and a figure that is not
    breaching makes it OK.
6.  With `missing`, a lone breaching figure that is followed by silence is an ALARM too, once it is M periods old and no
    figure of the range is better: waiting for the data that never comes would hide the worst. (The newest period is one
    period old.) Before that it is none, for the next figure may be a good one.

The documentation is silent or contradicts itself in these, and we do this:

*  How long the range is. Its only example is 5 for N = 3; we take N + 2.
*  Rule 6 by its words would make `0 - X - -` with M = 2 an ALARM; the table says OK. So any good figure in the range
   switches rule 6 off, wherever it stands.
*  Rule 6 speaks of the last N periods in one sentence and of the range in another. We take the range, for else
   `- X - - -` would be OK between two states that are not.
*  What `- - - - X` is with `missing` and M = 3: "not ALARM", and INSUFFICIENT_DATA is only for no data at all. So OK.
*  Before the alarm began there were no periods. They are not filled in with `breaching`, else everything would fire at the
   start; nor with `not_breaching` when no period has ended yet: that is INSUFFICIENT_DATA.

CloudWatch does not know our *blind* periods, in which the source did not answer. They are never filled in as bad or as
good: where filling is needed and there is a blind period, rule 5 holds, and `blind` is told. How long that may last is the
plan's affair (`patience`), not the alarm's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.core.alarm import AlarmFile, Missing, Of
from tidegate.core.alarm_set import in_order
from tidegate.core.alarm_state import AlarmSeen, AlarmState, Datapoint
from tidegate.core.composite import ANY, Rule
from tidegate.core.duration import say_duration
from tidegate.core.limit import say_figure


def evaluate(alarm: AlarmFile, datapoints: Sequence[Datapoint], previous: AlarmState | None = None) -> AlarmSeen:
    """A metric alarm. `datapoints` are those of consecutive whole periods, the newest last."""
    window = tuple(datapoints[-alarm.evaluation_range :])
    figures = [point for point in window if point.value is not None]
    short = len(figures) < alarm.periods
    blind = bool(window) and (window[-1].blind or (short and any(point.blind for point in window)))
    missing = Missing.IGNORE if short and any(point.blind for point in window) else alarm.missing
    decided = tuple(figures[-alarm.periods :])
    state = _state(alarm, window, decided, missing)
    return _seen(alarm, window, decided, state or previous or AlarmState.INSUFFICIENT_DATA, blind)


def _state(alarm: AlarmFile, window: Sequence[Datapoint], figures: Sequence[Datapoint], missing: Missing) -> AlarmState | None:
    """The state by the rules; None when it stays as it is."""
    if not window:
        return None if missing is Missing.IGNORE else AlarmState.INSUFFICIENT_DATA
    breaching = _breaching(alarm, figures)
    if breaching >= alarm.wanted:
        return AlarmState.ALARM
    if len(figures) >= alarm.periods or missing is Missing.NOT_BREACHING:
        return AlarmState.OK
    match missing:
        case Missing.BREACHING:
            fillable = min(alarm.periods - len(figures), len(window) - len(figures))
            return AlarmState.ALARM if breaching + fillable >= alarm.wanted else AlarmState.OK
        case Missing.IGNORE:
            return AlarmState.OK if breaching < len(figures) else None
        case _ if not figures:
            return AlarmState.INSUFFICIENT_DATA
        case _:
            silenced = breaching == len(figures) and _age(window, figures[0]) >= alarm.wanted
            return AlarmState.ALARM if silenced else AlarmState.OK


def _breaching(alarm: AlarmFile, figures: Sequence[Datapoint]) -> int:
    return sum(point.value is not None and alarm.breaches(point.value) for point in figures)


def _age(window: Sequence[Datapoint], point: Datapoint) -> int:
    """In periods; the newest is 1."""
    return len(window) - window.index(point)


def _seen(
    alarm: AlarmFile, window: Sequence[Datapoint], figures: Sequence[Datapoint], state: AlarmState, blind: bool
) -> AlarmSeen:
    """The newest figure that explains the state, and the sentence."""
    telling = [p for p in figures if p.value is not None and (alarm.breaches(p.value) or state is not AlarmState.ALARM)]
    value = (telling or figures)[-1].value if figures else None
    figure = "" if value is None else say_figure(value, alarm.metric_name.unit, beside=alarm.limit.value)
    return AlarmSeen(
        name=alarm.name,
        state=state,
        why=_why(alarm, window, figures, value, figure),
        figure=figure,
        limit=f"{alarm.comparison.said} {alarm.limit}",
        value=value,
        blind=blind,
    )


def _why(
    alarm: AlarmFile,
    window: Sequence[Datapoint],
    figures: Sequence[Datapoint],
    value: float | None,
    figure: str,
) -> str:
    metric, period = _metric(alarm), say_duration(alarm.period)
    if not window:
        return f"{metric}: no period of {period} has ended yet"
    if value is None:
        last = f"the last {_count(len(window), 'period')} of {period}"
        if unseen := sum(point.blind for point in window):
            return f"{metric}: nobody could look in {unseen} of {last}"
        return f"{metric}: no data in {last}{_treated(alarm, window)}"
    beyond = alarm.breaches(value)
    breaching = _breaching(alarm, figures)
    alike = breaching if beyond else len(figures) - breaching
    limit = f"{'' if beyond else 'not '}{alarm.comparison.said} {alarm.limit}"
    said = f"{metric} {figure} {limit} in {alike} of {_count(alarm.periods, 'period')} of {period}"
    if len(figures) < alarm.periods and len(window) > len(figures):
        said += f", {len(window) - len(figures)} without data{_treated(alarm, window)}"
    return said


_COUNTS = {
    Missing.MISSING: "",
    Missing.IGNORE: ", which is ignored",
    Missing.BREACHING: ", which counts as breaching",
    Missing.NOT_BREACHING: ", which counts as not breaching",
}


def _treated(alarm: AlarmFile, window: Sequence[Datapoint]) -> str:
    """What became of periods without data, where it mattered."""
    blind = sum(point.blind for point in window)
    return f", {blind} of them because nobody could look" if blind else _COUNTS[alarm.missing]


def _metric(alarm: AlarmFile) -> str:
    statistic = f"{alarm.statistic or 'average'} of " if alarm.metric_name.has_statistics else ""
    whose = "" if alarm.of is Of.CANDIDATE else f" of the {alarm.of}"
    return f"{statistic}{alarm.metric}{whose}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def evaluate_told(alarm: AlarmFile, datapoints: Sequence[Datapoint], previous: AlarmState | None = None) -> AlarmSeen:
    """An alarm that CloudWatch evaluates; see told_series.state_as_datapoint. Its state counts at once: it has no periods."""
    last = datapoints[-1] if datapoints else None
    if last is None or last.blind:
        kept = previous or AlarmState.INSUFFICIENT_DATA
        why = "nobody has looked yet" if last is None else "CloudWatch does not answer, or does not know it"
        return AlarmSeen(alarm.name, kept, f"{alarm.said}: {why}", blind=last is not None)
    if last.value is not None:
        said = AlarmState.ALARM if last.value else AlarmState.OK
        return AlarmSeen(alarm.name, said, f"{alarm.said} is {said}")
    state = {Missing.BREACHING: AlarmState.ALARM, Missing.NOT_BREACHING: AlarmState.OK}.get(alarm.missing)
    if alarm.missing is Missing.IGNORE:
        state = previous
    why = f"{alarm.said} is INSUFFICIENT_DATA{_COUNTS[alarm.missing]}"
    return AlarmSeen(alarm.name, state or AlarmState.INSUFFICIENT_DATA, why)


def evaluate_composite(alarm: AlarmFile, rule: Rule, seen: Mapping[str, AlarmSeen]) -> AlarmSeen:
    """A composite alarm, from the alarms that it speaks of.

    ALARM when the rule is true of their states, as CloudWatch's. Where it says OK although that hangs on alarms without
    data, or on blind ones, we say INSUFFICIENT_DATA, or `blind`: nobody looked, and that is not good.
    """
    names = tuple(dict.fromkeys(rule.names))
    exact = {name: frozenset({seen[name].state}) for name in names}
    said = ", ".join(f"{name} is {seen[name].state}" for name in names) or "it speaks of no alarm"
    if rule.answer(exact).true:
        return AlarmSeen(alarm.name, AlarmState.ALARM, f"{alarm.when}: {said}")
    blind = {name: ANY if seen[name].blind else exact[name] for name in names}
    if rule.answer(blind).true:
        return AlarmSeen(alarm.name, AlarmState.OK, f"{alarm.when}: {said}, and not all of them could be looked at", blind=True)
    unsure = {name: ANY if seen[name].state is AlarmState.INSUFFICIENT_DATA else exact[name] for name in names}
    state = AlarmState.INSUFFICIENT_DATA if rule.answer(unsure).true else AlarmState.OK
    return AlarmSeen(alarm.name, state, f"{alarm.when}: {said}")


def evaluate_all(
    alarms: Sequence[AlarmFile],
    datapoints: Mapping[str, Sequence[Datapoint]],
    previous: Mapping[str, AlarmState],
) -> dict[str, AlarmSeen]:
    """All alarms of a service, by name; composite ones after those that they speak of."""
    seen: dict[str, AlarmSeen] = {}
    for alarm in in_order(alarms):
        if alarm.rule is not None:
            seen[alarm.name] = evaluate_composite(alarm, alarm.rule, seen)
        elif alarm.cloudwatch is not None:
            seen[alarm.name] = evaluate_told(alarm, datapoints.get(alarm.name, ()), previous.get(alarm.name))
        else:
            seen[alarm.name] = evaluate(alarm, datapoints.get(alarm.name, ()), previous.get(alarm.name))
    return {alarm.name: seen[alarm.name] for alarm in alarms}
