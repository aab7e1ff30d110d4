"""Users' own counters for comparisons, as a metrics server has them: asked beside the loop, for both sides at one moment.

A look counts only when everything that was asked was answered: what is missing comes with the next one, for counters only grow.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from tidegate.core.compare_file import CompareFile
from tidegate.core.errors import Refused, TidegateError
from tidegate.core.metric_name import Source, parse_metric_name
from tidegate.engine.alarm_book import Scraped
from tidegate.engine.cloud import unanswerable
from tidegate.ports import CounterSource, Measurement, QueryChecker

EVERY = timedelta(seconds=15)
"""Not oftener than servers usually collect: what came of one side would be seen before the same of the other."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One query of one side: as it was written, and as it is asked."""

    subject: str
    version: str
    text: str
    query: str


@dataclass(frozen=True, slots=True)
class _Look:
    at: datetime
    answers: Mapping[str, Sequence[Measurement]]


class Counters:
    def __init__(self, source: CounterSource, clock: Callable[[], datetime], checker: QueryChecker) -> None:
        self._source = source
        self._clock = clock
        self._checker = checker
        self._next: list[_Wanted] = []
        self._wanted: tuple[_Wanted, ...] = ()
        self._look: _Look | None = None
        self._given: dict[str, datetime] = {}
        self._stopped = threading.Event()
        self._log = structlog.get_logger()

    # --- beside the loop ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        while not self._stopped.wait(EVERY.total_seconds()):
            self.ask()

    def stop(self) -> None:
        self._stopped.set()

    def ask(self) -> None:
        """One look at everything that is wanted."""
        wanted, now = self._wanted, self._clock()
        if not wanted:
            return
        try:
            self._look = _Look(now, self._source.counters(sorted({one.query for one in wanted}), now))
        except TidegateError as error:
            self._log.warning("counters_unreachable", problem=error.what, mend=error.mend)
        except Exception:
            self._log.exception("counters_unreachable")

    # --- for the loop -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A new look: what is wanted is said again."""
        self._next = []

    def want(self, compare: CompareFile, subject: str, versions: Sequence[str]) -> Scraped | None:
        """Notes what this comparison asks for, and gives the look that it was not given yet."""
        asked = [text for text in compare.asked if parse_metric_name(text).source is Source.PROMETHEUS]
        mine = [_Wanted(subject, version, text, _filled(text, subject, version)) for text in asked for version in versions]
        self._next += mine
        look = self._look
        if not mine or look is None or self._given.get(subject) == look.at or any(o.query not in look.answers for o in mine):
            return None
        self._given[subject] = look.at
        measured = [_of(one, value) for one in mine for value in look.answers[one.query]]
        return Scraped(look.at, measured, {value.task: value.version for value in measured})

    def end(self) -> None:
        """All is said."""
        self._wanted = tuple(self._next)

    # --- for orders ---------------------------------------------------------------------------------------------------

    def problems(self, compare: CompareFile, subject: str) -> Sequence[Refused]:
        """Why queries of this comparison could never be answered. Raises Unreachable when that cannot be known."""
        found: list[Refused] = []
        for place, own in enumerate(compare.metrics):
            for text in own.asked:
                if parse_metric_name(text).source is not Source.PROMETHEUS:
                    continue
                if why := self._checker.refused(_filled(_OF_ANY.sub('=~".+"', text), subject, "x"), single=False):
                    found.append(unanswerable(f"Comparison of {own.name}", why, f"compare.metrics[{place}]"))
        return found


_OF_ANY = re.compile(r'(?<![!~=])="\{version\}"')
"""Before the start nobody knows the candidate in Prometheus: then any version will do."""


def _filled(text: str, subject: str, version: str) -> str:
    return parse_metric_name(text).name.replace("{version}", version).replace("{service}", subject)


def _of(wanted: _Wanted, value: Measurement) -> Measurement:
    """Of this side, under the name by which the comparison asks for it."""
    return replace(
        value, metric=wanted.text, version=wanted.version, service=wanted.subject, task=f"{wanted.version}/{value.task}"
    )
