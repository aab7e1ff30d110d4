"""The agents page: who follows the flags of which environment, what each has, and when it was heard last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.dashboard.errors import ShowsProblems
from tidegate.api.dashboard.live import Seen, live
from tidegate.api.dashboard.paper import page, parts
from tidegate.api.needs import ApiServices, Closing, Services
from tidegate.api.shared import ReadOnce
from tidegate.engine.agents import SILENT
from tidegate.engine.view import AgentView, EnvironmentView

router = APIRouter(route_class=ShowsProblems, include_in_schema=False)

MOST_SHOWN = 100
PARTS = {"agents": "agents/all.html"}


@dataclass(frozen=True, slots=True)
class Line:
    agent: AgentView
    tone: str
    word: str


@dataclass(frozen=True, slots=True)
class Group:
    """Agents of one environment: whoever is silent or behind comes first. `versions`: how many have each."""

    environment: EnvironmentView
    lines: Sequence[Line]
    versions: Mapping[str, int]
    odd: int


@router.get("/agents")
def show(services: Services) -> Response:
    return page("agents.html", title="Agents", here="/agents", parts=see(services).parts)


@router.get("/live/agents")
async def live_agents(services: Services, shared: ReadOnce, closing: Closing) -> Response:
    return live(("agents",), lambda: see(services), shared, closing)


def see(services: ApiServices) -> Seen:
    return Seen(
        parts(PARTS, {"groups": [_group(services, one) for one in services.flags.glance.environments()], "most": MOST_SHOWN})
    )


def _group(services: ApiServices, environment: EnvironmentView) -> Group:
    posted = services.flags.board.get(environment.name)
    newest = posted.snapshot.serial if posted is not None else 0
    lines = [_line(agent, newest) for agent in environment.agents]
    odd = [line for line in lines if line.tone != "good"]
    fine = [line for line in lines if line.tone == "good"]
    versions = Counter(agent.version or "unknown" for agent in environment.agents)
    return Group(environment, [*odd, *fine][:MOST_SHOWN], dict(versions.most_common(5)), len(odd))


def _line(agent: AgentView, newest: int) -> Line:
    if agent.heard > SILENT:
        return Line(agent, "bad", "silent")
    if agent.serial < newest:
        return Line(agent, "wait", "behind")
    return Line(agent, "good", "newest")
