"""Environments: where an application's flags are in force, and how changes of them are released there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api.answers import Said
from tidegate.api.arguments import ApplicationName, EnvironmentName
from tidegate.api.body import ReasonBody, body_of
from tidegate.api.flag_body import FlagsForecastBody
from tidegate.api.forecast import ForecastAhead, forecast_flags
from tidegate.api.needs import ApiServices, Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted
from tidegate.api.present import answer
from tidegate.core.environment import Environment, subject_of
from tidegate.core.errors import Invalid, NotFound
from tidegate.engine.view import EnvironmentView

router = APIRouter(tags=["flags"])
_E = "/applications/{application}/environments/{environment}"


def as_it_is(services: ApiServices, subject: str) -> EnvironmentView | None:
    """None when there is no such environment yet."""
    try:
        return services.flags.glance.environment(subject)
    except NotFound:
        return None


@router.post(f"{_E}/forecast", **described(ForecastAhead, body=FlagsForecastBody))
def show_forecast(
    application: ApplicationName,
    environment: EnvironmentName,
    services: Services,
    body: Annotated[FlagsForecastBody, Depends(body_of(FlagsForecastBody))],
) -> Response:
    """What a plan will see, cost and take at the traffic that agents report, or at the one that is given. Changes nothing."""
    file = body.file or services.flags.orders.file(application, environment)
    must_be(application, environment, file)
    return answer(forecast_flags(file, body, as_it_is(services, file.subject), services.foresight))


def must_be(application: str, environment: str, file: Environment) -> None:
    if (file.application, file.environment) != (application, environment):
        raise Invalid(
            f"The path names {application}/{environment}, the file {file.subject}.", "Name one environment.", "environment"
        )


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
