"""Which tasks of a candidate Envoy's local brake holds back now, and for what.

Envoy says at each host whether it is held back. For what, the counts say: the last failures of this version either had an
answer of 5xx (soft: it may be a shared outage) or none at all (hard: refused, reset, timed out).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tidegate.drivers.envoy.clusters import CONSECUTIVE
from tidegate.drivers.envoy.counts import Counts, Key


@dataclass(frozen=True, slots=True)
class Ejected:
    hard: int = 0
    soft: int = 0


class Kinds(NamedTuple):
    """Failures since Envoy started: without an answer, and with one."""

    hard: int
    soft: int


_LOOKS = 120


@dataclass(slots=True)
class Kind:
    """Remembers how failures grew, so that the newest ones can be told from the older."""

    _past: dict[Key, deque[Kinds]] = field(default_factory=dict)

    def note(self, counts: Counts) -> None:
        for key, failed in counts.failed.items():
            now = Kinds(hard=counts.unanswered.get(key, 0), soft=failed - counts.unanswered.get(key, 0))
            past = self._past.setdefault(key, deque([Kinds(0, 0)], maxlen=_LOOKS))
            if past[-1] != now:
                past.append(now)

    def is_hard(self, key: Key) -> bool:
        """Whether most of the newest failures, as many as it takes for an ejection, had no answer."""
        past = list(self._past.get(key, ()))
        left, hard = CONSECUTIVE, 0.0
        for then, now in zip(reversed(past[:-1]), reversed(past), strict=False):
            grown = sum(now) - sum(then)
            taken = min(left, grown)
            hard += taken * (now.hard - then.hard) / grown
            left -= taken
        return hard > (CONSECUTIVE - left) / 2


def held_back(clusters: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """From Envoy's list of clusters: how many hosts of first priority are held back now, by cluster."""
    found = {}
    for cluster in clusters:
        hosts = [host for host in cluster.get("host_statuses", ()) if host.get("priority", 0) == 0]
        found[cluster["name"]] = sum(1 for host in hosts if host["health_status"].get("failed_outlier_check"))
    return found
