"""The page on which a change of flags is written, looked at before it begins, and begun: by the API, as on the command line."""

from __future__ import annotations

import shlex
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tidegate.api.body import body_of
from tidegate.api.dashboard.errors import ShowsProblems, TellsProblems
from tidegate.api.dashboard.flags import HERE, MaybeNumber
from tidegate.api.dashboard.flags import PATH as PAGE
from tidegate.api.dashboard.paper import page, sheet
from tidegate.api.dashboard.wish import KINDS, CheckBody, Do, api_path, base_of, text_of, wished
from tidegate.api.flags import ahead
from tidegate.api.needs import ApiServices, Services
from tidegate.api.peer import trusted
from tidegate.api.which import OneEnvironment, Which
from tidegate.core.document import read
from tidegate.core.errors import Conflict, Invalid
from tidegate.core.plan import PlanFile
from tidegate.core.protection import unprotected

router = APIRouter(route_class=ShowsProblems, include_in_schema=False)
sheets = APIRouter(route_class=TellsProblems, include_in_schema=False, dependencies=[Depends(trusted)])

PATH = "/sheets/flags/{application}/{environment}/change"
Name = Annotated[str, Query(max_length=200)]


@router.get(PAGE + "/change")
def show(which: OneEnvironment, services: Services, do: Do = "document", name: Name = "", number: MaybeNumber = 0) -> Response:
    view = services.flags.glance.environment(which.subject)
    title = KINDS[do].title.format(name=name, number=number)
    return page(
        "change.html", title=f"{title} in {which.subject}", here=HERE, which=which, view=view, do=do, name=name, number=number,
        heading=title, typed=bool(KINDS[do].types),
    )  # fmt: skip


@sheets.get(PATH)
def show_form(which: OneEnvironment, services: Services, do: Do, name: Name = "", number: MaybeNumber = 0) -> Response:
    kind, base = KINDS[do], base_of(services, which)
    said = kind.command.format(name="NAME" if kind.named else shlex.quote(name), number=number)
    plan = services.flags.glance.environment(which.subject).plan
    return sheet(
        "flags/form.html",
        which=which,
        kind=kind,
        do=do,
        name=name,
        number=number,
        base=base.number,
        text=text_of(base, do, name, which.subject),
        segments=list(base.segments)[:20],
        path=api_path(which, kind, name),
        command=f"tidegate {said} -e {which.subject}",
        plan=plan,
    )


@sheets.post(PATH)
def check(which: OneEnvironment, services: Services, body: Annotated[CheckBody, Depends(body_of(CheckBody))]) -> Response:
    """What `validate` of the API says, of what is typed now. Changes nothing."""
    try:
        return _ahead(services, which, body)
    except Invalid as wrong:  # half a word is no error of the asker
        return sheet("part_problem.html", what=wrong.what, mend=wrong.mend)


def _ahead(services: ApiServices, which: Which, body: CheckBody) -> Response:
    wish = wished(services, which, body)
    if wish.base != body.base:
        raise Conflict(
            f"Document {wish.base} is in force by now, and this was made from {body.base or 'none'}.",
            "Keep what you have written, load the page again, and make the change anew.",
        )
    plan = read(PlanFile, body.plan, "the plan") if body.plan.strip() else None
    found = ahead(services, which, wish.document, plan)
    risk = unprotected(
        replaces=bool(found.base and found.changes),
        agents=found.agents,
        reported=found.reported,
        guards=found.guards,
        led=found.led,
    )
    return sheet("flags/ahead.html", which=which, ahead=found, base=wish.base, risk=risk)
