"""The tasks behind each cluster, a file a cluster, so that a task that comes or goes touches nothing else.

The candidate's slot is one cluster of two priorities: its own tasks first, and the stable side's for whatever they fail.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.resource import TYPE, Json
from tidegate.ports import Endpoint, Routing, Side

# Envoy spills to the next priority in proportion to what is missing from the first. One healthy task must be enough
# to keep it all, or users would change sides when a task dies.
_KEEP_ALL = 1_000_000


def stable(routing: Routing) -> list[Json]:
    return _assignment(routing, names.STABLE, [routing.stable])


def candidate(routing: Routing) -> list[Json]:
    """Priority 0: the candidate's tasks. Priority 1: the stable side's, unless both are one version (in the hand-over)."""
    rescue = routing.stable
    if rescue is not None and routing.slot is not None and rescue.version == routing.slot.version:
        rescue = None
    return _assignment(routing, names.CANDIDATE, [routing.slot, rescue])


def tester(routing: Routing) -> list[Json]:
    return _assignment(routing, names.TESTER, [routing.slot])


def version_in(resources: Sequence[Json]) -> str:
    """The version of the first priority, "" when it is empty: what `stable` or `candidate` were given."""
    metadata = resources[0]["endpoints"][0].get("metadata")
    if metadata is None:
        return ""
    return str(metadata["filter_metadata"][names.METADATA][names.SIDE].rsplit("/", 1)[1])


def _assignment(routing: Routing, place: str, sides: Sequence[Side | None]) -> list[Json]:
    service = routing.service.service
    priorities = [{"priority": rank, **_hosts(service, place, side)} for rank, side in enumerate(sides)]
    return [
        {
            "@type": TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": names.cluster(service, place),
            "policy": {"overprovisioning_factor": _KEEP_ALL},
            "endpoints": priorities,
        }
    ]


def _hosts(service: str, place: str, side: Side | None) -> Json:
    if side is None:
        return {}
    metadata = {"filter_metadata": {names.METADATA: {names.SIDE: names.side(service, place, side.version)}}}
    ordered = sorted(side.endpoints, key=lambda endpoint: (endpoint.task, endpoint.host, endpoint.port))
    return {"metadata": metadata, "lb_endpoints": [_host(endpoint, metadata) for endpoint in ordered]}


def _host(endpoint: Endpoint, metadata: Json) -> Json:
    address = {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}
    return {"endpoint": {"address": address}, "metadata": metadata}
