"""The report of a finished rollout, to be kept and sent."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from tidegate.api.arguments import RolloutId
from tidegate.api.needs import Services
from tidegate.api.openapi import described
from tidegate.api.report.page import report
from tidegate.core.errors import Conflict

router = APIRouter(tags=["rollouts"])

MOST_DECISIONS = 1000


@router.get("/rollouts/{rollout}/report", **described(str, media="text/html"))
def show_report(rollout: RolloutId, services: Services) -> Response:
    """One self-contained HTML file of a rollout that has ended: what happened, why, whom it harmed, with its charts."""
    glance = services.glance
    view = glance.rollout(rollout)
    if view.in_flight:
        raise Conflict(f"{rollout} is still in flight.", f"Wait for its end: tidegate watch {view.service}.")
    events = glance.events(rollout=rollout, limit=MOST_DECISIONS, last=True)
    headers = {
        "Content-Disposition": f'attachment; filename="{rollout}.html"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",  # opened here after all, it is nobody of this address
    }
    return HTMLResponse(report(view, events, glance.course(rollout), services.clock()), headers=headers)
