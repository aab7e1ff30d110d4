"""Envoy's statistics as counts of each side.

One request for counters and what is in flight, one for the histograms. Counters are exact at the moment of reading; a
histogram may lag behind them by one look, because Envoy gathers it from its threads when it is asked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.core.latency import Latencies, bin_of
from tidegate.drivers.envoy import names
from tidegate.ports import Slot

Key = tuple[str, Slot, str]
"""Service, slot, version."""

_SIDE = r"(?P<service>[^/]+)/(?P<slot>stable|candidate)/(?P<version>[^/]+?)"
_WHAT = r"\.code\.(?P<code>\d*)\.flags\.(?P<flags>[A-Z0-9_,-]*)\.grpc\.(?P<grpc>\d*)"
_ENDED = re.compile(rf"{names.SCOPE}\.{names.ENDED}\.side\.{_SIDE}")
_TOOK = re.compile(rf"{names.SCOPE}\.{names.TOOK}\.side\.{_SIDE}")
_FAILED = re.compile(rf"{names.SCOPE}\.{names.FAILED}\.side\.{_SIDE}{_WHAT}")
_SEEN = re.compile(
    rf"{names.SCOPE}\.{names.SEEN}\.cluster\.(?P<name>[^.]+)\.(?P<place>[a-z]+)\.side\.(?:{_SIDE}|[^/]*?){_WHAT}"
)
_ACTIVE = re.compile(r"cluster\.(?P<service>[^.]+)\.(?P<slot>stable|candidate)\.endpoint\.(?P<host>.+)\.rq_active")

COUNTERS = rf"^{names.SCOPE}\.|^cluster\.[^.]+\.(stable|candidate)\.endpoint\..+\.rq_active$"
HISTOGRAMS = rf"^{names.SCOPE}\.{names.TOOK}\."


@dataclass(frozen=True, slots=True)
class Counts:
    """What one look found."""

    ended: Mapping[Key, int]
    failed: Mapping[Key, int]
    unanswered: Mapping[Key, int]
    """Among the failed: those without an answer of the task."""
    timed_out: Mapping[Key, int]
    """Among the unanswered: those that were given up after the listener's timeout."""
    seen: Mapping[str, int]
    """Failures that users routed to the candidate's slot saw, by service."""
    active: Mapping[tuple[str, Slot, str], int]
    """Attempts in flight, by service, slot and the host as Envoy writes it."""
    latencies: Mapping[Key, Latencies] = field(default_factory=dict)


def read_counts(stats: Iterable[Mapping[str, Any]]) -> Counts:
    """From the list `stats` of Envoy's JSON."""
    ended: defaultdict[Key, int] = defaultdict(int)
    failed: defaultdict[Key, int] = defaultdict(int)
    unanswered: defaultdict[Key, int] = defaultdict(int)
    timed_out: defaultdict[Key, int] = defaultdict(int)
    seen: defaultdict[str, int] = defaultdict(int)
    active: defaultdict[tuple[str, Slot, str], int] = defaultdict(int)
    for stat in stats:
        name = stat.get("name", "")
        if found := _ENDED.fullmatch(name):
            ended[_key(found)] += stat["value"]
        elif found := _ACTIVE.fullmatch(name):
            active[found["service"], Slot(found["slot"]), found["host"]] += stat["value"]
        elif found := _FAILED.fullmatch(name):
            failed[_key(found)] += stat["value"]
            if found["code"] in ("", "0"):
                unanswered[_key(found)] += stat["value"]
        elif found := _SEEN.fullmatch(name):
            if found["place"] == names.CANDIDATE:
                seen[found["name"]] += stat["value"]
            if found["service"] is not None and "UT" in found["flags"].split(","):
                # An attempt does not know that its request timed out; the request does.
                failed[_key(found)] += stat["value"]
                unanswered[_key(found)] += stat["value"]
                timed_out[_key(found)] += stat["value"]
    return Counts(ended, failed, unanswered, timed_out, seen, active)


def read_latencies(stats: Iterable[Mapping[str, Any]]) -> dict[Key, Latencies]:
    """From the same list, asked for with detailed buckets."""
    latencies = {}
    for stat in stats:
        for histogram in stat.get("histograms", {}).get("details", ()):
            if found := _TOOK.fullmatch(histogram["name"]):
                latencies[_key(found)] = _latencies(histogram["totals"])
    return latencies


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
