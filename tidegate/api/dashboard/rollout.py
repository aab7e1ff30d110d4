"""The page of one rollout: is it fine, why, and what can be done."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.arguments import RolloutId
from tidegate.api.dashboard import words
from tidegate.api.dashboard.decisions import decisions
from tidegate.api.dashboard.errors import ShowsProblems
from tidegate.api.dashboard.live import Seen, live
from tidegate.api.dashboard.paper import page, parts
from tidegate.api.needs import ApiServices, Closing, Services
from tidegate.api.shared import ReadOnce

router = APIRouter(route_class=ShowsProblems, include_in_schema=False)

MOST_DECISIONS = 100
_NAMES = ("now", "ahead", "actions", "plan", "sides", "evidence", "guards", "harm", "decisions")
PARTS = {name: f"rollout/{name}.html" for name in _NAMES}


@router.get("/rollouts/{rollout}")
def show(rollout: RolloutId, services: Services) -> Response:
    view, seen = services.glance.rollout(rollout), see(services, rollout)
    return page("rollout.html", title=f"{rollout}: {view.service} {view.candidate}", view=view, parts=seen.parts)


@router.get("/live/rollouts/{rollout}")
async def live_rollout(rollout: RolloutId, services: Services, shared: ReadOnce, closing: Closing) -> Response:
    return live(("rollout", rollout), lambda: see(services, rollout), shared, closing)


def see(services: ApiServices, rollout: str) -> Seen:
    view = services.glance.rollout(rollout)
    events = services.glance.events(rollout=rollout, limit=MOST_DECISIONS, last=True)
    latest = services.glance.history(view.service, 1)
    content: dict[str, Any] = {
        "view": view,
        "headline": words.headline(view),
        "buttons": words.buttons(view, latest=bool(latest) and latest[0].id == view.id),
        "strip": words.strip(view),
        "decisions": decisions(events),
        "problems": list(services.health().problems),
    }
    return Seen(parts(PARTS, content), services.glance.course(rollout))
