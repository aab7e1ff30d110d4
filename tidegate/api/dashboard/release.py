"""Pages of releases: what goes together, how far each part is, and how it ended."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.arguments import ReleaseId
from tidegate.api.dashboard import words
from tidegate.api.dashboard.errors import ShowsProblems
from tidegate.api.dashboard.live import Seen, live
from tidegate.api.dashboard.paper import page, parts
from tidegate.api.needs import ApiServices, Closing, Services
from tidegate.api.shared import ReadOnce
from tidegate.engine.view import ReleaseView, RolloutView

router = APIRouter(route_class=ShowsProblems, include_in_schema=False)

HERE = "/releases"
LAST = 20
ALL = {"releases": "release/all.html"}
PARTS = {name: f"release/{name}.html" for name in ("now", "actions", "parts")}


@router.get("/releases")
def show_all(services: Services) -> Response:
    return page("releases.html", title="Releases", here=HERE, parts=see_all(services).parts)


@router.get("/live/releases")
async def live_all(services: Services, shared: ReadOnce, closing: Closing) -> Response:
    return live(("releases",), lambda: see_all(services), shared, closing)


def see_all(services: ApiServices) -> Seen:
    return Seen(parts(ALL, {"releases": services.glance.releases(LAST)}))


@router.get("/releases/{release}")
def show(release: ReleaseId, services: Services) -> Response:
    view, seen = services.glance.release(release), see(services, release)
    return page("release.html", title=release, here=HERE, view=view, parts=seen.parts)


@router.get("/live/releases/{release}")
async def live_release(release: ReleaseId, services: Services, shared: ReadOnce, closing: Closing) -> Response:
    return live(("release", release), lambda: see(services, release), shared, closing)


def see(services: ApiServices, release: str) -> Seen:
    found = services.glance.release(release)
    first = _to_act_on(found)
    latest = services.glance.history(first.service, 1)
    content: dict[str, Any] = {
        "release": found,
        "headline": words.together(found),
        "view": first,
        "buttons": words.buttons(first, latest=bool(latest) and latest[0].id == first.id),
        "problems": list(services.health().problems),
    }
    return Seen(parts(PARTS, content))


def _to_act_on(release: ReleaseView) -> RolloutView:
    """What is done to one part is done to all of them."""
    return next((one for one in release.rollouts if one.in_flight), release.rollouts[0])
