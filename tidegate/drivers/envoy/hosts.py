"""Which services answer for which host name on a port, the most specific first.

A host's own services come first, then those of the widest pattern that covers it, `*` last, so that a path that the
specific host does not have is still answered by the service that said `any`. Within one host the longest path wins.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.ports import Routing


def by_host(routings: Sequence[Routing]) -> list[tuple[str, list[Routing]]]:
    """Each host named by a service of this port, with the services that answer for it, in the order of matching."""
    hosts = sorted({host_of(routing) for routing in routings})
    return [(host, _answering(host, routings)) for host in hosts]


def host_of(routing: Routing) -> str:
    return routing.service.listener.host.lower()


def _answering(host: str, routings: Sequence[Routing]) -> list[Routing]:
    covering = [routing for routing in routings if _covers(host_of(routing), host)]
    return sorted(covering, key=lambda routing: (-len(host_of(routing)), -_depth(routing), routing.service.service))


def _covers(pattern: str, host: str) -> bool:
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _depth(routing: Routing) -> int:
    return len(routing.service.listener.path.rstrip("/"))
