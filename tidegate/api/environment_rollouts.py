"""What a person may do to a rollout of flags."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api.answers import Deployment
from tidegate.api.body import PromoteBody, ReasonBody, RollbackBody, body_of
from tidegate.api.flag_changes import deployed
from tidegate.api.needs import ApiServices, Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted
from tidegate.api.present import answer
from tidegate.api.which import PATH, OneEnvironment
from tidegate.core.errors import Invalid
from tidegate.core.rollout import Rollout
from tidegate.engine.view import RolloutView

router = APIRouter(tags=["flags"])

Because = Annotated[ReasonBody, Depends(body_of(ReasonBody))]


@router.post(f"{PATH}/pause", **described(RolloutView, body=ReasonBody))
def pause(which: OneEnvironment, services: Services, peer: Admitted, body: Because) -> Response:
    """Holds the exposure. Guards keep looking and may roll back."""
    return _view(services, services.orders.pause(which.subject, peer.actor, body.reason))


@router.post(f"{PATH}/resume", **described(RolloutView, body=ReasonBody))
def resume(which: OneEnvironment, services: Services, peer: Admitted, body: Because) -> Response:
    """Goes on where it was paused."""
    return _view(services, services.orders.resume(which.subject, peer.actor, body.reason))


@router.post(f"{PATH}/promote", **described(RolloutView, body=PromoteBody))
def promote(
    which: OneEnvironment, services: Services, peer: Admitted, body: Annotated[PromoteBody, Depends(body_of(PromoteBody))]
) -> Response:
    """Goes to the next step without waiting, or to the last one."""
    return _view(services, services.orders.promote(which.subject, peer.actor, body.reason, full=body.full))


@router.post(f"{PATH}/abort", **described(RolloutView, body=ReasonBody))
def abort(which: OneEnvironment, services: Services, peer: Admitted, body: Because) -> Response:
    """Rolls back."""
    return _view(services, services.orders.abort(which.subject, peer.actor, body.reason))


@router.post(f"{PATH}/rollback", **described(Deployment, body=RollbackBody))
def rollback(
    which: OneEnvironment, services: Services, peer: Admitted, body: Annotated[RollbackBody, Depends(body_of(RollbackBody))]
) -> Response:
    """Brings back the document before, or the one that is named, at once; with what was released together with it."""
    if body.to is not None and not (body.to.isascii() and body.to.isdigit()):
        raise Invalid(f"{body.to[:40]!r} is not the number of a document.", "Give a number, as 3.", "to")
    done = services.releases.rollback(which.subject, peer.actor, to=body.to, reason=body.reason, alone=body.alone)
    return deployed(services, done)


def _view(services: ApiServices, rollout: Rollout) -> Response:
    return answer(services.glance.rollout(rollout.id))
