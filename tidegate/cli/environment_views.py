"""One environment, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tidegate.cli.answers import Figures, Guard, Rollout, read_as
from tidegate.cli.figures import milliseconds, rate, share
from tidegate.cli.flag_views import all_agents, say_sessions
from tidegate.cli.screen import Glyphs, clean_line
from tidegate.cli.service_views import alarms_of, last_rollout


def one_environment(content: Mapping[str, Any], glyphs: Glyphs, width: int) -> Group:
    document, flags = content["document"], content["flags"]
    in_force = f"document {document}, {flags:,} {'flag' if flags == 1 else 'flags'}" if document else "nothing is in force yet"
    parts: list[RenderableType] = [
        Text.assemble((clean_line(content["name"]), "bold"), f"  {in_force}  ", (clean_line(content["plan"]), "dim")),
        Text(_seen(content)),
    ]
    if content["agents"]:
        parts += [Text(), all_agents(content["agents"])]
    if sessions := say_sessions(content):
        parts += [Text(), Text(sessions)]
    if content["alarms"]:
        parts += [Text(), alarms_of([read_as(Guard, alarm) for alarm in content["alarms"]])]
    if content["rollout"] is not None:
        parts += [Text(), *last_rollout(read_as(Rollout, content["rollout"]), glyphs, width)]
    return Group(*parts)


def _seen(content: Mapping[str, Any]) -> str:
    if led := clean_line(content.get("led", "")):
        return f"{led} deploys these flags; agents that read there report to nobody"
    return _figures(read_as(Figures, content["figures"]), agents=len(content["agents"]))


def _figures(figures: Figures, *, agents: int) -> str:
    """Of the requests whose end the agents report."""
    if figures.per_second is None and agents:
        return "no agent reports how requests end (docs/agent.md: the middleware does)"
    if figures.per_second is None:
        return "no agent is there"
    return f"{rate(figures.per_second)} req/s, {share(figures.error_rate)} errors, p99 {milliseconds(figures.p99)}"
