"""The tasks behind each cluster, a file a cluster, so that a task that comes or goes touches nothing else.

The candidate's slot is one cluster of two priorities: its own tasks first, and the stable side's for whatever they fail.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.resource import TYPE, Json
from tidegate.drivers.envoy.spoken import can_rescue, same_check
from tidegate.ports import Endpoint, Routing, Side

# Envoy spills to the next priority in proportion to what is missing from the first. One healthy task must be enough
# to keep it all, or users would change sides when a task dies.
_KEEP_ALL = 1_000_000


def stable(routing: Routing) -> list[Json]:
    return _assignment(routing, names.STABLE, [routing.stable])


def candidate(routing: Routing) -> list[Json]:
    """Priority 0: the candidate's tasks. Priority 1: the stable side's, where they can take over."""
    return _assignment(routing, names.CANDIDATE, [routing.slot, routing.stable if can_rescue(routing) else None])


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
    checked = [True, same_check(routing)]
    priorities = [{"priority": rank, **_hosts(service, place, side, checked=checked[rank])} for rank, side in enumerate(sides)]
    return [
        {
            "@type": TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": names.cluster(service, place),
            "policy": {"overprovisioning_factor": _KEEP_ALL},
            "endpoints": priorities,
        }
    ]


def _hosts(service: str, place: str, side: Side | None, *, checked: bool) -> Json:
    if side is None:
        return {}
    name = names.side(service, place, side.version)
    ordered = sorted(side.endpoints, key=lambda endpoint: (endpoint.task, endpoint.host, endpoint.port))
    return {
        # For us, who read the file again after a restart, also when the side has no tasks.
        "metadata": {"filter_metadata": {names.METADATA: {names.SIDE: name}}},
        "lb_endpoints": [_host(endpoint, name, checked=checked) for endpoint in ordered],
    }


def _host(endpoint: Endpoint, side: str, *, checked: bool) -> Json:
    """The host's name is the side: of all that Envoy can note with each attempt it is the cheapest."""
    host: Json = {
        "address": {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}},
        "hostname": side,
    }
    if not checked:
        host["health_check_config"] = {"disable_active_health_check": True}
    return {"endpoint": host}
