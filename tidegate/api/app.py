"""The API: one app for both doors. It answers nobody until `serve` puts a door around it."""

from __future__ import annotations

from threading import Event

from anyio import CapacityLimiter
from fastapi import Depends, FastAPI

from tidegate.api import (
    agents,
    appconfigdata,
    collected,
    environments,
    events,
    flags,
    health,
    logs,
    metrics,
    notices,
    ofrep,
    releases,
    rollouts,
    schema,
    session,
    stream,
)
from tidegate.api import services as services_routes
from tidegate.api.appconfigdata import ConfigurationSessions
from tidegate.api.dashboard.app import add_dashboard
from tidegate.api.dashboard.errors import add_problem_pages
from tidegate.api.in_force import InForce
from tidegate.api.needs import ApiServices as ApiServices
from tidegate.api.needs import Health as Health
from tidegate.api.openapi import API_VERSION, add_openapi
from tidegate.api.peer import admitted
from tidegate.api.problems import add_problems
from tidegate.api.report import route as report
from tidegate.api.reports import Reports
from tidegate.api.session import Codes
from tidegate.api.shared import Shared

NOUNS = (
    services_routes,
    rollouts,
    report,
    releases,
    events,
    stream,
    logs,
    metrics,
    notices,
    health,
    schema,
    flags,
    environments,
    agents,
    ofrep,
    session,
)


LOG_THREADS = 10
"""Following logs waits in a thread. With threads of their own, many followers slow each other and nobody else."""


def create_app(services: ApiServices) -> FastAPI:
    app = FastAPI(title="Tidegate", version=API_VERSION, openapi_url=None, redirect_slashes=False)
    app.state.services = services
    app.state.log_threads = CapacityLimiter(LOG_THREADS)
    app.state.shared = Shared()
    app.state.flag_streams = {}
    app.state.codes = Codes(services.clock)
    app.state.in_force = InForce(services.flags)
    app.state.configuration_sessions = ConfigurationSessions(services, app.state.in_force)
    app.state.closing = Event()  # set when the doors close: streams end by themselves
    for noun in NOUNS:
        app.include_router(noun.router, prefix="/v1", dependencies=[Depends(admitted)])
    app.include_router(session.open_router, prefix="/v1")  # a browser that nobody trusts yet
    app.include_router(collected.router)  # where collectors look for it
    app.include_router(appconfigdata.router)  # at the paths of AWS's clients; admits by itself
    add_dashboard(app, services.home)
    add_openapi(app)
    app.add_middleware(Reports, agents=services.flags.agents)
    add_problems(app)
    add_problem_pages(app)
    return app
