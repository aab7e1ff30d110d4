"""All alarms of a service together: what no alarm can check alone, and the order in which they can be evaluated."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from tidegate.core.alarm import AlarmFile
from tidegate.core.metric_name import Source

RESERVED = ("comparison", "tasks")


def watched_flags(alarms: Sequence[AlarmFile]) -> tuple[str, ...]:
    """The flags that these alarms speak of, in order."""
    names = {alarm.metric_name.name for alarm in alarms if alarm.metric and alarm.metric_name.source is Source.FLAG}
    return tuple(sorted(names))


def check_alarms(alarms: Sequence[AlarmFile], *, scraped: bool = True, flags: bool = False) -> None:
    """What no alarm can check alone. `scraped` says whether the tasks expose metrics at all, `flags` whether there are flags.

    Raises ValueError, as validators do, for a name that is there twice, a composite alarm over an unknown alarm or over
    itself, and a metric of tasks that expose none.
    """
    names = [alarm.name for alarm in alarms]
    for alarm in alarms:
        if alarm.name in RESERVED:
            raise ValueError(f"{alarm.name!r} is the name of a guard that every rollout has.\nGive the alarm another name.")
        if names.count(alarm.name) > 1:
            raise ValueError(f"two alarms are named {alarm.name!r}.\nGive each its own name.")
        for name in alarm.rule.names if alarm.rule else ():
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                mend = f"Did you mean {close[0]!r}?" if close else f"Known alarms: {', '.join(names)}."
                raise ValueError(f"alarm {alarm.name} speaks of {name!r}, which is no alarm of this service.\n{mend}")
        if not flags and alarm.metric and alarm.metric_name.source is Source.FLAG:
            raise ValueError(
                f"alarm {alarm.name} looks at {alarm.metric}, and a service has no flags.\n"
                "Write it into the file of the flags' environment."
            )
        if not scraped and alarm.metric and alarm.metric_name.source is Source.TASKS:
            raise ValueError(
                f"alarm {alarm.name} looks at {alarm.metric}, but the tasks expose no metrics.\n"
                "Say where they do: tasks.metrics: /metrics."
            )
    in_order(alarms)


def in_order(alarms: Sequence[AlarmFile]) -> tuple[AlarmFile, ...]:
    """Each composite alarm after those that it speaks of. Raises ValueError for a circle."""
    if all(alarm.when is None for alarm in alarms):
        return tuple(alarms)
    left, done = list(alarms), list[AlarmFile]()
    while left:
        known = {alarm.name for alarm in done}
        ready = [alarm for alarm in left if alarm.rule is None or known.issuperset(alarm.rule.names)]
        if not ready:
            raise ValueError(f"{_circle(left)}\nA composite alarm cannot depend on itself: take one of them out of a rule.")
        done += ready
        left = [alarm for alarm in left if alarm not in ready]
    return tuple(done)


def _circle(left: Sequence[AlarmFile]) -> str:
    """Some way round in what could not be put in order: every one of them waits for another one of them."""
    waiting = {alarm.name: alarm.rule.names for alarm in left if alarm.rule}
    way = [next(iter(waiting))]
    while True:
        following = next(name for name in waiting[way[-1]] if name in waiting)
        if following in way:
            round_ = [*way[way.index(following) :], following]
            shown = f" ({' -> '.join(round_)})" if len(round_) > 2 else ""
            return f"the rule of alarm {following} speaks of itself{shown}."
        way.append(following)
