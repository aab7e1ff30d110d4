"""Environments: where an application's flags are in force, and how changes of them are released there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api.answers import Said
from tidegate.api.arguments import ApplicationName, EnvironmentName
from tidegate.api.body import ReasonBody, body_of
from tidegate.api.needs import Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted
from tidegate.api.present import answer
from tidegate.core.environment import subject_of

router = APIRouter(tags=["flags"])
_E = "/applications/{application}/environments/{environment}"


@router.delete(_E, **described(Said, body=ReasonBody))
def remove(
    application: ApplicationName,
    environment: EnvironmentName,
    services: Services,
    peer: Admitted,
    body: Annotated[ReasonBody, Depends(body_of(ReasonBody))],
) -> Response:
    """Forgets an environment. Agents keep its last flags; documents and history stay."""
    return answer({"sentence": services.flags.orders.remove(subject_of(application, environment), peer.actor, body.reason)})
