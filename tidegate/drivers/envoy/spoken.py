"""How the tasks of each side are reached. A version brings its own task specification, so both sides may differ."""

from __future__ import annotations

from tidegate.core.service import Tasks
from tidegate.ports import Routing


def stable_tasks(routing: Routing) -> Tasks:
    side = routing.stable
    return (side.tasks if side else None) or routing.service.tasks


def slot_tasks(routing: Routing) -> Tasks:
    """Of the candidate; of the stable side while the slot is empty."""
    side = routing.slot
    return (side.tasks or routing.service.tasks) if side else stable_tasks(routing)


def can_rescue(routing: Routing) -> bool:
    """Whether the stable side's tasks may stand behind the candidate's, in one cluster.

    Not when both are one version (in the hand-over), and not when they speak otherwise: a cluster has one protocol.
    """
    stable, slot = routing.stable, routing.slot
    if stable is None or (slot is not None and stable.version == slot.version):
        return False
    return _wire(stable_tasks(routing)) == _wire(slot_tasks(routing))


def same_check(routing: Routing) -> bool:
    """Whether the candidate's health check also fits the stable side's tasks."""
    stable, slot = stable_tasks(routing), slot_tasks(routing)
    return (stable.health, stable.protocol) == (slot.health, slot.protocol)


def speaks_grpc(routing: Routing) -> bool:
    return "grpc" in (stable_tasks(routing).protocol, slot_tasks(routing).protocol)


def _wire(tasks: Tasks) -> str:
    return "http1" if tasks.protocol == "http1" else "http2"
