"""Notifications: whether those whom a file names are reached."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api.body import NotifyBody, body_of
from tidegate.api.needs import Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted
from tidegate.api.present import answer
from tidegate.engine.notices import Tried

router = APIRouter(tags=["notifications"])


@router.post("/notifications/test", **described(list[Tried], body=NotifyBody))
def test(services: Services, peer: Admitted, body: Annotated[NotifyBody, Depends(body_of(NotifyBody))]) -> Response:
    """Sends a test message to everybody whom the file of a service or environment names, and says what became of each."""
    return answer(services.notices.test(body.subject, peer.actor, services.clock()))
