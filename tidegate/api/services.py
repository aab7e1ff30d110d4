"""Services: what runs, and what a person may ask for them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api.answers import Deployment, Said
from tidegate.api.arguments import ServiceName
from tidegate.api.body import DeployBody, ForecastBody, PromoteBody, RawBody, ReasonBody, RollbackBody, ValidateBody, body_of
from tidegate.api.forecast import ForecastAhead, forecast
from tidegate.api.needs import ApiServices, Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted
from tidegate.api.present import answer
from tidegate.api.preview import Preview, preview
from tidegate.core.document import read
from tidegate.core.errors import Invalid
from tidegate.core.service import Service
from tidegate.engine.orders import Deployed
from tidegate.engine.view import RolloutView, ServiceView

router = APIRouter(tags=["services"])


@router.get("/services", **described(list[ServiceView]))
def list_services(services: Services) -> Response:
    """All services, with their tasks, alarms, figures and latest rollout."""
    return answer(services.glance.services())


@router.get("/services/{service}", **described(ServiceView))
def show_service(service: ServiceName, services: Services) -> Response:
    """One service."""
    return answer(services.glance.service(service))


@router.put("/services/{service}", **described(Said, body=Service))
def apply(service: ServiceName, services: Services, peer: Admitted, raw: RawBody) -> Response:
    """Takes over listener, stickiness, plan, alarms and count of a service file. Tasks change by deploying."""
    file = read(Service, raw.read("the service file"), "the service file")
    _must_be(service, file)
    return _said(services.orders.apply(file, peer.actor))


@router.delete("/services/{service}", **described(Said, body=ReasonBody))
def remove(
    service: ServiceName, services: Services, peer: Admitted, body: Annotated[ReasonBody, Depends(body_of(ReasonBody))]
) -> Response:
    """Takes a service out of the router and ends its tasks. Its history stays."""
    return _said(services.orders.remove(service, peer.actor, body.reason))


@router.post("/validate", **described(Preview, body=ValidateBody))
def validate(services: Services, body: Annotated[ValidateBody, Depends(body_of(ValidateBody))]) -> Response:
    """Checks a service file against this machine and tells what deploying it would do. Changes nothing."""
    services.orders.check(body.file, body.version or "")
    return answer(preview(body, services.glance, services.foresight))


@router.post("/forecast", **described(ForecastAhead, body=ForecastBody))
def show_forecast(services: Services, body: Annotated[ForecastBody, Depends(body_of(ForecastBody))]) -> Response:
    """What a plan will see, cost and take at the present traffic, or at the one that is given. Changes nothing."""
    return answer(forecast(body, services.glance, services.foresight))


@router.post("/services/{service}/deploy", **described(Deployment, body=DeployBody))
def deploy(
    service: ServiceName, services: Services, peer: Admitted, body: Annotated[DeployBody, Depends(body_of(DeployBody))]
) -> Response:
    """Starts to replace the version that runs by this one."""
    _must_be(service, body.file)
    done = services.orders.deploy(body.file, body.version, peer.actor, plan=body.plan, reason=body.reason)
    return _deployed(services, done)


@router.post("/services/{service}/rollback", **described(Deployment, body=RollbackBody))
def rollback(
    service: ServiceName, services: Services, peer: Admitted, body: Annotated[RollbackBody, Depends(body_of(RollbackBody))]
) -> Response:
    """Brings back the version before, or the one that is named, at once; with what was released together with it."""
    return _deployed(
        services, services.releases.rollback(service, peer.actor, to=body.to, reason=body.reason, alone=body.alone)
    )


@router.post("/services/{service}/restart", **described(Said))
def restart(service: ServiceName, services: Services, peer: Admitted) -> Response:
    """Replaces the tasks of a service one after the other."""
    return _said(services.orders.restart(service, peer.actor))


Because = Annotated[ReasonBody, Depends(body_of(ReasonBody))]


@router.post("/services/{service}/pause", **described(RolloutView, body=ReasonBody))
def pause(service: ServiceName, services: Services, peer: Admitted, body: Because) -> Response:
    """Holds the exposure. Guards keep looking and may roll back."""
    return _view(services, services.orders.pause(service, peer.actor, body.reason).id)


@router.post("/services/{service}/resume", **described(RolloutView, body=ReasonBody))
def resume(service: ServiceName, services: Services, peer: Admitted, body: Because) -> Response:
    """Goes on where it was paused."""
    return _view(services, services.orders.resume(service, peer.actor, body.reason).id)


@router.post("/services/{service}/promote", **described(RolloutView, body=PromoteBody))
def promote(
    service: ServiceName, services: Services, peer: Admitted, body: Annotated[PromoteBody, Depends(body_of(PromoteBody))]
) -> Response:
    """Goes to the next step without waiting, or to the last one."""
    return _view(services, services.orders.promote(service, peer.actor, body.reason, full=body.full).id)


@router.post("/services/{service}/abort", **described(RolloutView, body=ReasonBody))
def abort(service: ServiceName, services: Services, peer: Admitted, body: Because) -> Response:
    """Rolls back."""
    return _view(services, services.orders.abort(service, peer.actor, body.reason).id)


def _must_be(service: str, file: Service) -> None:
    if file.service != service:
        raise Invalid(f"The path names {service}, the file {file.service}.", "Name one service.", "service")


def _said(sentence: str) -> Response:
    return answer({"sentence": sentence})


def _view(services: ApiServices, rollout: str) -> Response:
    return answer(services.glance.rollout(rollout))


def _deployed(services: ApiServices, done: Deployed) -> Response:
    rollout = services.glance.rollout(done.rollout.id) if done.rollout else None
    return answer({"rollout": rollout, "new": done.new, "sentence": done.sentence})
