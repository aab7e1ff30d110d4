"""Puts the dashboard beside the API."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from tidegate.api.dashboard import agents, audit, flag_change, flag_sheets, flags, forecast, home, release, rollout, service
from tidegate.api.dashboard.errors import ShowsProblems
from tidegate.api.dashboard.paper import keep_compiled, page
from tidegate.api.peer import admitted

STATIC = Path(__file__).with_name("static")
PAGES = (
    home.router,
    rollout.router,
    service.router,
    service.sheets,
    flags.router,
    flag_sheets.sheets,
    flag_change.router,
    flag_change.sheets,
    release.router,
    agents.router,
    forecast.router,
    audit.router,
)

login_router = APIRouter(route_class=ShowsProblems, include_in_schema=False)


@login_router.get("/login")
def login() -> Response:
    """Where `tidegate open` leads. The code is behind the #, which browsers send to nobody."""
    return page("login.html", title="Sign in")


def add_dashboard(app: FastAPI, home: Path) -> None:
    keep_compiled(home / "templates")
    for one in PAGES:
        app.include_router(one, dependencies=[Depends(admitted)])
    app.include_router(login_router, dependencies=[Depends(admitted)])
    app.mount("/static", _Static(directory=STATIC), name="static")


class _Static(StaticFiles):
    """Asked for again each time, and mostly answered with 304: a new release is seen at once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer
