"""The page of one service: who serves, on which tasks, by which way, and how its releases went."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tidegate.api.arguments import OfTask, ServiceName
from tidegate.api.dashboard import words
from tidegate.api.dashboard.errors import ShowsProblems, TellsProblems
from tidegate.api.dashboard.live import Seen, live
from tidegate.api.dashboard.paper import page, parts, sheet
from tidegate.api.needs import ApiServices, Closing, Services
from tidegate.api.peer import trusted
from tidegate.api.shared import ReadOnce
from tidegate.engine.view import ServiceView

router = APIRouter(route_class=ShowsProblems, include_in_schema=False)
sheets = APIRouter(route_class=TellsProblems, include_in_schema=False)

LAST = 12
LINES = 200
PARTS = {name: f"service/{name}.html" for name in ("now", "actions", "tasks", "routing", "versions", "alarms", "history")}


@router.get("/services/{service}")
def show(service: ServiceName, services: Services) -> Response:
    view, seen = services.glance.service(service), see(services, service)
    return page("service.html", title=service, here="/", view=view, parts=seen.parts)


@router.get("/live/services/{service}")
async def live_service(service: ServiceName, services: Services, shared: ReadOnce, closing: Closing) -> Response:
    return live(("service", service), lambda: see(services, service), shared, closing)


def see(services: ApiServices, service: str) -> Seen:
    view = services.glance.service(service)
    rollout = view.rollout
    content: dict[str, Any] = {
        "service": view,
        "view": rollout,
        "file": services.glance.file(service),
        "headline": words.serving(view),
        "buttons": words.buttons(rollout, latest=True) if rollout else (),
        "roles": _roles(view),
        "history": services.glance.history(service, LAST),
        "now": services.clock(),
        "problems": list(services.health().problems),
    }
    return Seen(parts(PARTS, content))


def _roles(view: ServiceView) -> dict[str, str]:
    """What each version does now; "" for one that was."""
    roles = dict.fromkeys(view.versions, "")
    if view.stable:
        roles[view.stable] = "serves"
    rollout = view.rollout
    if rollout is not None and rollout.in_flight:
        roles[rollout.candidate] = "comes" if rollout.phase != "rolling_back" else "goes back"
    return roles


Lines = Annotated[int, Query(ge=1, le=2000)]


@sheets.get("/sheets/services/{service}/logs", dependencies=[Depends(trusted)])
def show_logs(service: ServiceName, services: Services, task: OfTask = None, lines: Lines = LINES) -> Response:
    """As the API has them. They may hold secrets."""
    services.glance.service(service)
    found = services.read_logs(service, None, task, lines)
    return sheet("service/logs.html", lines=found, one=task is not None)
