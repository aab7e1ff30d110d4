"""Events: what happened, in order, and who did it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.answers import Happening
from tidegate.api.arguments import After, Before, Limit, OfPeople, OfPerson, OfRollout, OfService
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
    before: Before | None = None,
    by: OfPerson = None,
    people: OfPeople = False,
    limit: Limit = 200,
) -> Response:
    """With `after` the next ones after it, in order; without it the newest ones, in order; and only those before `before`."""
    found = services.glance.events(
        after=after or 0,
        before=before,
        service=service,
        rollout=rollout,
        by=by,
        people=people,
        limit=limit,
        last=after is None,
    )
    return answer(found)
