"""The watcher turns what was counted into guards, figures and harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.core.errors import Refused
from tidegate.core.harm import Harm
from tidegate.core.rollout import Rollout
from tidegate.core.service import Service
from tidegate.core.setting import Applied
from tidegate.core.verdict import GuardSeen, Verdict, combine
from tidegate.engine.view import Figures
from tidegate.ports import Held, ServiceRecord


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one rollout in this tick."""

    gate: Verdict
    guards: tuple[GuardSeen, ...]
    figures: Mapping[str, Figures]  # baseline, candidate: the last ten seconds
    served: float | None  # share of the requests that the candidate got in that time

    @property
    def verdict(self) -> Verdict:
        return combine(self.gate, self.guards)


class Watcher:
    def look(self, records: Sequence[ServiceRecord], claimed: Sequence[Held], now: datetime) -> None: ...

    def of(self, held: Held, record: ServiceRecord | None) -> Look: ...

    def seen(self, rollout: str) -> Look | None: ...

    def harm(self, held: Held, after: Rollout, applied: Applied, now: datetime) -> Harm: ...

    def saved(self, held: Held, now: datetime) -> str | None: ...

    def alarms(self, record: ServiceRecord) -> tuple[GuardSeen, ...]: ...

    def figures(self, service: str) -> Figures: ...

    def unknown_metrics(self, file: Service) -> Sequence[Refused]: ...

    def firing(self, file: Service, record: ServiceRecord) -> Sequence[GuardSeen]: ...
