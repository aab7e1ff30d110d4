"""Rollouts: what is in flight, what was, and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api.answers import Explained
from tidegate.api.arguments import Limit, OfService, RolloutId
from tidegate.api.body import ReasonBody, body_of
from tidegate.api.needs import Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted
from tidegate.api.present import answer
from tidegate.engine.view import RolloutView

router = APIRouter(tags=["rollouts"])


@router.get("/rollouts", **described(list[RolloutView]))
def list_rollouts(services: Services, service: OfService = None, limit: Limit = 50) -> Response:
    """Rollouts, newest first."""
    return answer(services.glance.history(service, limit))


@router.get("/rollouts/{rollout}", **described(RolloutView))
def show_rollout(rollout: RolloutId, services: Services) -> Response:
    """One rollout as it is now: exposure wanted, applied and served, both sides' figures, guards, harm, comparison."""
    return answer(services.glance.rollout(rollout))


@router.get("/rollouts/{rollout}/events", **described(Explained))
def explain(rollout: RolloutId, services: Services) -> Response:
    """Every decision about a rollout in order, each with the figures and guards that it was made with."""
    view, events = services.glance.explain(rollout)
    return answer({"rollout": view, "events": events})


@router.post("/abort", **described(list[RolloutView], body=ReasonBody))
def abort_all(services: Services, peer: Admitted, body: Annotated[ReasonBody, Depends(body_of(ReasonBody))]) -> Response:
    """Rolls back everything that is in flight."""
    return answer([services.glance.rollout(one.id) for one in services.orders.abort_all(peer.actor, body.reason)])
