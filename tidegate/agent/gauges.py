"""What the agent says of itself: health for whoever starts it, metrics in Prometheus' format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.agent.agent import Agent
from tidegate.agent.answer import TEXT, Answer, say

ALIVE = say(200, {"alive": True})


def readiness(agent: Agent) -> Answer:
    """Ready with the first snapshot, also an old one: an old answer is better than none."""
    standing = agent.standing
    content: dict[str, Any] = {
        "ready": standing.ready,
        "connected": standing.connected,
        "serial": standing.serial,
        "age_seconds": None if standing.age is None else round(standing.age, 3),
        "problem": standing.problem,
    }
    return say(200 if standing.ready else 503, content)


def metrics(agent: Agent, requests: Mapping[tuple[str, int], int]) -> Answer:
    """`requests` counts them by kind and status."""
    standing, counted = agent.standing, agent.counted
    lines = [
        *_gauge("tidegate_agent_ready", "Whether it has flags to answer from.", [("", int(standing.ready))]),
        *_gauge("tidegate_agent_connected", "Whether it follows the control plane's stream.", [("", int(standing.connected))]),
        *_gauge("tidegate_agent_serial", "Of the snapshot that it answers from.", [("", standing.serial)]),
        *_gauge(
            "tidegate_agent_age_seconds",
            "Since the control plane last confirmed the snapshot.",
            [] if standing.age is None else [("", round(standing.age, 3))],
        ),
        *_gauge("tidegate_agent_exposure_ratio", "Share of the entities on the candidate.", _exposure(agent)),
        *_counter(
            "tidegate_agent_evaluations_total",
            "Evaluations by flag and variant.",
            (
                (_labels(flag=flag, variant=variant), count)
                for flag, variants in sorted(counted["flags"].items())
                for variant, count in sorted(variants.items())
            ),
        ),
        *_counter(
            "tidegate_agent_requests_total",
            "Requests by kind and status.",
            ((_labels(kind=kind, status=str(status)), count) for (kind, status), count in sorted(requests.items())),
        ),
    ]
    return Answer(200, ("\n".join(lines) + "\n").encode(), (TEXT,))


def _exposure(agent: Agent) -> list[tuple[str, float]]:
    view = agent.view
    return [] if view is None or view.snapshot.candidate is None else [("", view.snapshot.exposure / 10_000)]


def _gauge(name: str, about: str, values: Iterable[tuple[str, float]]) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} gauge", *(f"{name}{labels} {value}" for labels, value in values)]


def _counter(name: str, about: str, values: Iterable[tuple[str, int]]) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} counter", *(f"{name}{labels} {value}" for labels, value in values)]


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
