"""The forecast as a form: what a plan would see, cost and take. Its address holds the question, and can be sent to somebody."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from tidegate.api.body import ForecastBody
from tidegate.api.dashboard.errors import ShowsProblems
from tidegate.api.dashboard.paper import page
from tidegate.api.environments import as_it_is
from tidegate.api.flag_body import FlagsForecastBody
from tidegate.api.forecast import ForecastAhead, forecast, forecast_flags
from tidegate.api.needs import ApiServices, Services
from tidegate.api.which import Which
from tidegate.core import forecast_words
from tidegate.core.document import read
from tidegate.core.environment import is_environment
from tidegate.core.errors import TidegateError

router = APIRouter(route_class=ShowsProblems, include_in_schema=False)

MOST_SHOWN = 30
"""Steps; of a longer plan the last ones are left out."""
Asked = Annotated[str, Query(max_length=1000)]


@router.get("/forecast")
def show(services: Services, of: Asked = "", plan: Asked = "", traffic: Asked = "", errors: Asked = "") -> Response:
    given = {"plan": plan.strip(), "traffic": traffic.strip(), "errors": errors.strip()}
    found, wrong = None, None
    try:
        found = _forecast(services, of, {name: value for name, value in given.items() if value}) if of else None
    except TidegateError as error:
        wrong = error
    subjects = [*services.glance.names(), *services.flags.glance.names()]
    return page(
        "forecast.html",
        title=f"Forecast of {of}" if of else "Forecast",
        here="/forecast",
        subjects=subjects,
        asked={"of": of, **given},
        found=found,
        wrong=wrong,
        say=forecast_words,
        most=MOST_SHOWN,
    )


def _forecast(services: ApiServices, subject: str, given: dict[str, Any]) -> ForecastAhead:
    """Of the file that was taken over last."""
    if not is_environment(subject):
        service = read(ForecastBody, {"file": services.glance.file(subject), **given}, "the form")
        return forecast(service, services.glance, services.foresight)
    which = Which(*subject.split("/", 1))
    now = as_it_is(services, which)
    services.flags.glance.environment(subject)
    file = services.flags.orders.file(which.application, which.environment)
    return forecast_flags(file, read(FlagsForecastBody, given, "the form"), now, services.foresight)
