"""The audit page: everything that happened, who did it and why; newest first, page by page."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.responses import Response

from tidegate.api.arguments import Before
from tidegate.api.dashboard.decisions import decisions
from tidegate.api.dashboard.errors import ShowsProblems
from tidegate.api.dashboard.paper import page
from tidegate.api.needs import Services

router = APIRouter(route_class=ShowsProblems, include_in_schema=False)

A_PAGE = 100
Asked = Annotated[str, Query(max_length=200)]


@router.get("/audit")
def show(
    *,
    services: Services,
    by: Asked = "",
    subject: Asked = "",
    rollout: Asked = "",
    people: Annotated[bool, Query()] = False,
    before: Before | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = A_PAGE,
) -> Response:
    found = services.glance.events(
        by=by.strip() or None,
        service=subject.strip() or None,
        rollout=rollout.strip() or None,
        people=people,
        before=before,
        limit=limit + 1,
        last=True,
    )
    shown = found[-limit:]
    query = {"by": by, "subject": subject, "rollout": rollout, "people": "true" if people else ""}
    kept = {name: value for name, value in query.items() if value} | ({} if limit == A_PAGE else {"limit": str(limit)})
    return page(
        "audit.html",
        title="Audit",
        here="/audit",
        lines=list(zip(decisions(shown), [event.told for event in reversed(shown)], strict=True)),
        asked=query,
        first=before is None,
        newest=f"/audit?{urlencode(kept)}",
        older=f"/audit?{urlencode({**kept, 'before': shown[0].id})}" if len(found) > len(shown) else "",
    )
