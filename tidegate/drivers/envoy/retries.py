"""What is tried again, and where. What was tried is not tried again: neither the task, nor, in the slot, the candidate."""

from __future__ import annotations

from tidegate.drivers.envoy.resource import TYPE, Json

# Nothing was sent when a connection was refused, so this much is safe for every request.
_SAFE = "connect-failure,refused-stream,reset-before-request"

_HOSTS = TYPE + "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
_PRIORITIES = TYPE + "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"


def for_all() -> Json:
    """For every request, on the stable side."""
    return _policy(_SAFE)


def for_repeatable() -> Json:
    """For requests that may be repeated, on the stable side: a task that is killed is not seen."""
    return _policy(f"{_SAFE},reset")


def for_slot() -> Json:
    """In the candidate's slot, whose own policy outranks the route's: on to the stable side's tasks.

    What more is tried again of requests that may be repeated, the route adds by a header.
    """
    onward = {"@type": _PRIORITIES, "update_frequency": 1}
    return _policy(_SAFE) | {"retry_priority": {"name": "envoy.retry_priorities.previous_priorities", "typed_config": onward}}


def _policy(retry_on: str) -> Json:
    predicate = {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": _HOSTS}}
    return {
        "retry_on": retry_on,
        "num_retries": 2,
        "retry_host_predicate": [predicate],
        # A dead task has the fewest requests, and so is chosen again and again; each choice costs next to nothing.
        "host_selection_retry_max_attempts": 30,
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.010s"},
    }
