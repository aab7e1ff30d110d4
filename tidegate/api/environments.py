"""Environments: where an application's flags are in force, and how changes of them are released there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api.answers import Said
from tidegate.api.body import RawBody, ReasonBody, body_of
from tidegate.api.flag_body import FlagsForecastBody
from tidegate.api.forecast import ForecastAhead, forecast_flags
from tidegate.api.needs import ApiServices, Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted
from tidegate.api.present import answer
from tidegate.api.which import PATH, OneEnvironment, Which
from tidegate.core.document import read
from tidegate.core.environment import Environment
from tidegate.core.errors import Invalid, NotFound
from tidegate.engine.view import EnvironmentView

router = APIRouter(tags=["flags"])


@router.get("/environments", **described(list[EnvironmentView]))
def list_environments(services: Services) -> Response:
    """All environments of all applications, with their agents, alarms and latest rollout."""
    return answer(services.flags.glance.environments())


@router.get(PATH, **described(EnvironmentView))
def show_environment(which: OneEnvironment, services: Services) -> Response:
    """One environment."""
    return answer(services.flags.glance.environment(which.subject))


@router.put(PATH, **described(Said, body=Environment))
def configure(which: OneEnvironment, services: Services, peer: Admitted, raw: RawBody) -> Response:
    """Takes over plan, alarms, comparison and who is told."""
    file = read(Environment, raw.read("the environment file"), "the environment file")
    _must_be(which, file)
    return answer({"sentence": services.flags.orders.configure(file, peer.actor)})


@router.post(f"{PATH}/forecast", **described(ForecastAhead, body=FlagsForecastBody))
def show_forecast(
    which: OneEnvironment, services: Services, body: Annotated[FlagsForecastBody, Depends(body_of(FlagsForecastBody))]
) -> Response:
    """What a plan will see, cost and take at the traffic that agents report, or at the one that is given. Changes nothing."""
    file = body.file or services.flags.orders.file(which.application, which.environment)
    _must_be(which, file)
    return answer(forecast_flags(file, body, as_it_is(services, which), services.foresight))


@router.delete(PATH, **described(Said, body=ReasonBody))
def remove(
    which: OneEnvironment, services: Services, peer: Admitted, body: Annotated[ReasonBody, Depends(body_of(ReasonBody))]
) -> Response:
    """Forgets an environment. Agents keep its last flags; documents and history stay."""
    return answer({"sentence": services.flags.orders.remove(which.subject, peer.actor, body.reason)})


def as_it_is(services: ApiServices, which: Which) -> EnvironmentView | None:
    """None when there is no such environment yet."""
    try:
        return services.flags.glance.environment(which.subject)
    except NotFound:
        return None


def _must_be(which: Which, file: Environment) -> None:
    if file.subject != which.subject:
        raise Invalid(f"The path names {which.subject}, the file {file.subject}.", "Name one environment.", "environment")
