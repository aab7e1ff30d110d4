"""Events: what happened, in order, and who did it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.answers import Happening
from tidegate.api.arguments import After, Limit, OfRollout, OfService
from tidegate.api.needs import Services
from tidegate.api.openapi import described
from tidegate.api.present import answer

router = APIRouter(tags=["events"])


@router.get("/events", **described(list[Happening]))
def list_events(
    *,
    services: Services,
    after: After | None = None,
    service: OfService = None,
    rollout: OfRollout = None,
    limit: Limit = 200,
) -> Response:
    """With `after` the next ones after it, in order; without it the newest ones, in order."""
    newest = after is None
    return answer(services.glance.events(after=after or 0, service=service, rollout=rollout, limit=limit, last=newest))
