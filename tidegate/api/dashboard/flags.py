"""Pages of flags: the environments, one of them, and one flag. What documents hold may name people: it comes as sheets, for
who is signed in (flag_sheets.py)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from tidegate.api.dashboard import words
from tidegate.api.dashboard.errors import ShowsProblems
from tidegate.api.dashboard.live import Seen, live
from tidegate.api.dashboard.paper import page, parts
from tidegate.api.needs import ApiServices, Closing, Services
from tidegate.api.shared import ReadOnce
from tidegate.api.which import OneEnvironment, Which

router = APIRouter(route_class=ShowsProblems, include_in_schema=False)

HERE = "/flags"
PATH = "/flags/{application}/{environment}"
LAST, DOCUMENTS = 6, 10
ALL = {"environments": "home/environments.html"}
PARTS = {name: f"flags/{name}.html" for name in ("now", "actions", "alarms", "history", "documents")}
ANSWERS = {"answers": "flags/answers.html"}

FlagQuery = Annotated[str, Query(min_length=1, max_length=200, description="Name of a flag.")]
MaybeNumber = Annotated[int, Query(ge=0, le=2**31 - 1)]


@router.get("/flags")
def show_all(services: Services) -> Response:
    return page("flags.html", title="Flags", here=HERE, parts=see_all(services).parts)


@router.get("/live/flags")
async def live_all(services: Services, shared: ReadOnce, closing: Closing) -> Response:
    return live(("flags",), lambda: see_all(services), shared, closing)


def see_all(services: ApiServices) -> Seen:
    return Seen(parts(ALL, {"environments": services.flags.glance.environments()}))


@router.get(PATH)
def show(which: OneEnvironment, services: Services) -> Response:
    return page("environment.html", title=which.subject, here=HERE, which=which, parts=see(services, which).parts)


@router.get("/live" + PATH)
async def live_one(which: OneEnvironment, services: Services, shared: ReadOnce, closing: Closing) -> Response:
    return live(("flags", which.subject), lambda: see(services, which), shared, closing)


def see(services: ApiServices, which: Which) -> Seen:
    view = services.flags.glance.environment(which.subject)
    content: dict[str, Any] = {
        "which": which,
        "environment": view,
        "view": view.rollout,
        "headline": words.in_force(view),
        "buttons": words.buttons(view.rollout, latest=True) if view.rollout else (),
        "history": services.glance.history(which.subject, LAST),
        "documents": services.flags.glance.documents(which.application, DOCUMENTS),
    }
    return Seen(parts(PARTS, content))


@router.get(PATH + "/flag")
def show_flag(which: OneEnvironment, services: Services, name: FlagQuery) -> Response:
    seen = see_flag(services, which, name)
    return page("flag.html", title=f"{name} of {which.subject}", here=HERE, which=which, name=name, parts=seen.parts)


@router.get("/live" + PATH + "/flag")
async def live_flag(which: OneEnvironment, services: Services, name: FlagQuery, shared: ReadOnce, closing: Closing) -> Response:
    return live(("flag", which.subject, name), lambda: see_flag(services, which, name), shared, closing)


def see_flag(services: ApiServices, which: Which, name: str) -> Seen:
    view = services.flags.glance.environment(which.subject)
    counted = view.evaluations.get(name, {})
    content = {"counted": counted, "total": sum(counted.values()), "agents": len(view.agents)}
    return Seen(parts(ANSWERS, content))


@router.get(PATH + "/who")
def show_who(which: OneEnvironment, services: Services) -> Response:
    services.flags.glance.environment(which.subject)
    return page("who.html", title=f"Who sees what in {which.subject}", here=HERE, which=which)


@router.get(PATH + "/compare")
def show_compare(which: OneEnvironment, services: Services, old: MaybeNumber = 0, new: MaybeNumber = 0) -> Response:
    found = [one.number for one in services.flags.glance.documents(which.application)]
    in_force = services.flags.glance.environment(which.subject).document or 0
    new = new or (found[0] if found else 0)
    old = old or (in_force if in_force != new else max(1, new - 1))
    numbers = sorted({*found, *(number for number in (old, new) if number)}, reverse=True)
    return page(
        "compare.html", title=f"Documents of {which.application}", here=HERE, which=which, numbers=numbers, old=old, new=new,
        in_force=in_force,
    )  # fmt: skip
