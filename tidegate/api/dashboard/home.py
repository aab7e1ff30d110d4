"""Home: what is going on, what fires, and how the last releases went."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.dashboard.errors import ShowsProblems
from tidegate.api.dashboard.live import Seen, live
from tidegate.api.dashboard.paper import page, parts
from tidegate.api.needs import ApiServices, Closing, Services
from tidegate.api.shared import ReadOnce

router = APIRouter(route_class=ShowsProblems, include_in_schema=False)

LAST = 12
PARTS = {name: f"home/{name}.html" for name in ("now", "flight", "services", "environments", "last")}


@router.get("/")
def home(services: Services) -> Response:
    return page("home.html", title="Home", here="/", parts=see(services).parts)


@router.get("/live/home")
async def live_home(services: Services, shared: ReadOnce, closing: Closing) -> Response:
    return live(("home",), lambda: see(services), shared, closing)


def see(services: ApiServices) -> Seen:
    found = services.glance.services()
    environments = services.flags.glance.environments()
    alarms = [(one.name, one.alarms) for one in found] + [(one.name, one.alarms) for one in environments]
    firing = [(name, guard) for name, guards in alarms for guard in guards if guard.state == "firing"]
    content: dict[str, Any] = {
        "services": found,
        "environments": environments,
        "flight": services.glance.in_flight(),
        "last": [one for one in services.glance.history(limit=LAST * 2) if not one.in_flight][:LAST],
        "firing": firing,
        "problems": list(services.health().problems),
    }
    return Seen(parts(PARTS, content))
