"""Envoy's statistics as counts of each side.

One request for what went wrong, and then one for the histograms, which hold all attempts that were answered, and for what is
in flight. The first makes Envoy gather the histograms from its threads, so that the second finds them complete. What is in
flight is read last: an attempt that ends meanwhile is counted nowhere for a moment, and never twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.core.latency import Latencies, bin_of
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.failures import is_failure
from tidegate.ports import Slot

Key = tuple[str, Slot, str]
"""Service, slot, version."""
Host = tuple[str, Slot, str]
"""Service, slot, and the address as Envoy writes it in the names of statistics."""

_SIDE = r"(?P<service>[^/]+)/(?P<slot>stable|candidate)/(?P<version>[^/]+?)"
_WHAT = r"\.code\.(?P<code>\d*)\.flags\.(?P<flags>[A-Z0-9_,-]*)\.grpc\.(?P<grpc>\d*)"
_TOOK = re.compile(rf"{names.SCOPE}\.{names.TOOK}\.side\.{_SIDE}")
_ODD = re.compile(rf"{names.SCOPE}\.{names.ODD}\.side\.{_SIDE}{_WHAT}")
_SEEN = re.compile(
    rf"{names.SCOPE}\.{names.SEEN}\.cluster\.(?P<name>[^.]+)\.(?P<place>[a-z]+)\.side\.(?:{_SIDE}|[^/]*?){_WHAT}"
    r"\.details\.(?P<details>.*)"
)
_ACTIVE = re.compile(r"cluster\.(?P<service>[^.]+)\.(?P<slot>stable|candidate)\.endpoint\.(?P<host>.+)\.rq_active")

_TIMEOUT = "response_timeout"  # the listener's
_GIVEN_UP = (_TIMEOUT, "max_duration_timeout")  # the second is a gRPC call's own deadline

COUNTERS = rf"^{names.SCOPE}\.({names.ODD}|{names.SEEN})\."
HISTOGRAMS = (
    rf"^{names.SCOPE}\.{names.TOOK}\.|^server\.dropped_stat_flushes$"
    r"|^cluster\.[^.]+\.(stable|candidate)\.endpoint\..+\.rq_active$"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What one look found."""

    lost: Mapping[Key, int] = field(default_factory=dict)
    """Attempts that ended without an answer."""
    failed: Mapping[Key, int] = field(default_factory=dict)
    unanswered: Mapping[Key, int] = field(default_factory=dict)
    """Among the failed: those without an answer of the task."""
    timed_out: Mapping[Key, int] = field(default_factory=dict)
    """Among the unanswered: those that were given up after the listener's timeout."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """Failures that users routed to the candidate's slot saw, by service."""
    active: Mapping[Host, int] = field(default_factory=dict)
    """Attempts in flight."""
    latencies: Mapping[Key, Latencies] = field(default_factory=dict)
    """Of all attempts that were answered."""

    @property
    def keys(self) -> set[Key]:
        return self.lost.keys() | self.failed.keys() | self.latencies.keys()

    def finished(self, key: Key) -> int:
        answered = self.latencies.get(key)
        return (answered.count if answered else 0) + self.lost.get(key, 0)


def read_counts(stats: Iterable[Mapping[str, Any]]) -> Counts:
    """From the list `stats` of Envoy's JSON."""
    lost: defaultdict[Key, int] = defaultdict(int)
    failed: defaultdict[Key, int] = defaultdict(int)
    unanswered: defaultdict[Key, int] = defaultdict(int)
    timed_out: defaultdict[Key, int] = defaultdict(int)
    seen: defaultdict[str, int] = defaultdict(int)
    for stat in stats:
        name = stat.get("name", "")
        if found := _ODD.fullmatch(name):
            is_lost = found["code"] in ("", "0")
            has_failed = is_failure(found["code"], found["flags"], found["grpc"])
            lost[_key(found)] += stat["value"] * is_lost
            failed[_key(found)] += stat["value"] * has_failed
            unanswered[_key(found)] += stat["value"] * (is_lost and has_failed)
        elif found := _SEEN.fullmatch(name):
            if found["place"] == names.CANDIDATE:
                seen[found["name"]] += stat["value"]
            if found["service"] is not None and found["details"] in _GIVEN_UP:
                # An attempt does not know that its request was given up, and is merely lost; the request knows.
                failed[_key(found)] += stat["value"]
                unanswered[_key(found)] += stat["value"]
                timed_out[_key(found)] += stat["value"] * (found["details"] == _TIMEOUT)
    return Counts(lost, failed, unanswered, timed_out, seen)


def read_latencies(stats: Iterable[Mapping[str, Any]]) -> dict[Key, Latencies]:
    """From the list asked for with detailed buckets."""
    latencies = {}
    for stat in stats:
        for histogram in stat.get("histograms", {}).get("details", ()):
            if found := _TOOK.fullmatch(histogram["name"]):
                latencies[_key(found)] = _latencies(histogram["totals"])
    return latencies


def read_active(stats: Iterable[Mapping[str, Any]]) -> dict[Host, int]:
    """From the same list."""
    active: dict[Host, int] = {}
    for stat in stats:
        if stat.get("value") and (found := _ACTIVE.fullmatch(stat["name"])):
            active[found["service"], Slot(found["slot"]), found["host"]] = stat["value"]
    return active


def dropped_flushes(stats: Iterable[Mapping[str, Any]]) -> int:
    """How often Envoy was asked to gather histograms while it still did so."""
    return sum(stat["value"] for stat in stats if stat.get("name") == "server.dropped_stat_flushes")


def host_name(host: str, port: int) -> str:
    """An endpoint as Envoy writes it in the names of statistics."""
    return f"[{host}]_{port}".replace(":", "_") if ":" in host else f"{host}_{port}"


def _key(found: re.Match[str]) -> Key:
    return found["service"], Slot(found["slot"]), found["version"]


def _latencies(buckets: Iterable[Mapping[str, Any]]) -> Latencies:
    """Envoy writes the edge 230 as 229.99999999999997."""
    bins: defaultdict[int, int] = defaultdict(int)
    for bucket in buckets:
        bins[bin_of(round(bucket["lower_bound"]))] += bucket["count"]
    return Latencies(dict(bins))
