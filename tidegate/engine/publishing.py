"""Our own figures for others' dashboards and alarms, every ten seconds: who is exposed, what failed, what the guards say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from tidegate.core.errors import TidegateError
from tidegate.core.exposure import FULL
from tidegate.core.setting import Applied
from tidegate.core.verdict import GOOD, Judgement
from tidegate.engine.watcher import Watcher
from tidegate.ports import Figure, Held, Publisher, Record, Store

EVERY = 10.0
"""Seconds."""


class Publishing:
    """`applied` gives what the lever of a subject was seen to apply last."""

    def __init__(
        self,
        *,
        store: Store,
        watcher: Watcher,
        applied: Callable[[str], Applied],
        publisher: Publisher,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._watcher = watcher
        self._applied = applied
        self._publisher = publisher
        self._clock = clock
        self._stopped = threading.Event()
        self._log = structlog.get_logger()

    def run(self) -> None:
        """Publishes again and again, until stopped. Figures that do not get through are gone: the next ones come soon."""
        while not self._stopped.wait(EVERY):
            try:
                self.publish()
            except TidegateError as error:
                self._log.warning("figures_unpublished", problem=error.what, mend=error.mend)
            except Exception:
                self._log.exception("figures_unpublished")

    def stop(self) -> None:
        self._stopped.set()

    def publish(self) -> None:
        """One time for everything: zero for what has no rollout, so that an alarm on it is never without data."""
        going = {
            held.rollout.subject: held for held in self._store.history(limit=1000, open_only=True) if held.rollout.in_flight
        }
        records: list[Record] = [*self._store.services(), *self._store.environments()]
        figures = [figure for record in records for figure in self._of(record.file.subject, going.get(record.file.subject))]
        if figures:
            self._publisher.publish(figures, self._clock())

    def _of(self, subject: str, held: Held | None) -> Sequence[Figure]:
        look = self._watcher.seen(held.rollout.id) if held else None
        verdict = look.verdict if look else GOOD
        applied = self._applied(subject).exposure if held else None
        values = [
            ("RolloutInFlight", float(held is not None), "Count"),
            ("WantedExposure", 100 * held.rollout.wanted / FULL if held else 0.0, "Percent"),
            ("HarmedRequests", float(held.harm.counted.failed) if held else 0.0, "Count"),
            ("HarmSeenByUsers", float(held.harm.counted.seen) if held else 0.0, "Count"),
            ("VerdictBad", float(verdict.judgement is Judgement.BAD), "Count"),
            ("VerdictUnknown", float(verdict.judgement is Judgement.UNKNOWN), "Count"),
        ]
        if applied is not None or held is None:  # what cannot be seen is not zero
            values.append(("AppliedExposure", 100 * (applied or 0) / FULL, "Percent"))
        return [Figure(name, value, unit, (("Subject", subject),)) for name, value, unit in values]
