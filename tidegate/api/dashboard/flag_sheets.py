"""What flag documents hold, for who is signed in: lists, one flag, two documents side by side, and who sees what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tidegate.api.arguments import ApplicationName, DocumentNumber, OtherNumber
from tidegate.api.body import body_of
from tidegate.api.dashboard.beside import Row, beside
from tidegate.api.dashboard.errors import TellsProblems
from tidegate.api.dashboard.flags import FlagQuery
from tidegate.api.dashboard.paper import sheet
from tidegate.api.dashboard.wish import WhoBody, context_of, wished
from tidegate.api.flags import evaluated, evaluator, say_result
from tidegate.api.in_force import FlagsInForce
from tidegate.api.needs import Services
from tidegate.api.peer import trusted
from tidegate.api.which import OneEnvironment
from tidegate.core.errors import NotFound
from tidegate.core.flags.codec import LazyFlags
from tidegate.core.flags.difference import Change, compare
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag_codec import encode_flag
from tidegate.core.flags.flags_writer import write_flag, write_segment
from tidegate.core.flags.in_short import answer_in_short, as_yaml, who_in_short
from tidegate.core.flags.result import Reason, Result
from tidegate.core.flags.stale import stale

sheets = APIRouter(route_class=TellsProblems, include_in_schema=False, dependencies=[Depends(trusted)])

PATH = "/sheets/flags/{application}/{environment}"
A_PAGE = 50
MOST_SHOWN = 100
MOST_BESIDE = 40
"""Changes whose texts stand beside each other; sentences are there of more."""

Wanted = Annotated[str, Query(max_length=200, description="Only those with this in their name, owner or description.")]
Page = Annotated[int, Query(ge=1, le=100_000)]


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    said: str
    about: str
    owner: str
    stale: str
    counted: int


@sheets.get(PATH + "/list")
def list_flags(which: OneEnvironment, services: Services, q: Wanted = "", page: Page = 1) -> Response:
    document = services.flags.orders.present(which.subject)
    asked = q.lower()
    found = [name for name in document.flags if asked in name.lower() or asked in _about(document, name)]
    here = found[(page - 1) * A_PAGE : page * A_PAGE]
    shown = FlagDocument(which.application, flags={name: document.flags[name] for name in here})
    overdue = {one.flag: one.why for one in stale(shown, services.clock().date())}
    counted = services.flags.agents.evaluations(which.subject)
    lines = [_line(shown, name, overdue, counted) for name in here]
    pages = max(1, -(-len(found) // A_PAGE))
    return sheet("flags/list.html", which=which, lines=lines, found=len(found), all=len(document.flags), page=page, pages=pages)


def _about(document: FlagDocument, name: str) -> str:
    """As it was written: to read ten thousand flags for it takes a second."""
    flags = document.flags
    written = flags.written(name) if isinstance(flags, LazyFlags) else encode_flag(flags[name])
    return f"{written.get('owner', '')}\n{written.get('description', '')}".lower()


def _line(document: FlagDocument, name: str, overdue: Mapping[str, str], counted: Mapping[str, Mapping[str, int]]) -> Line:
    flag = document.flags[name]
    said = answer_in_short(write_flag(flag))
    return Line(name, said, flag.description, flag.owner, overdue.get(name, ""), sum(counted.get(name, {}).values()))


@sheets.get(PATH + "/segments")
def list_segments(which: OneEnvironment, services: Services) -> Response:
    document = services.flags.orders.present(which.subject)
    found = {name: who_in_short(write_segment(one)) for name, one in list(document.segments.items())[:MOST_SHOWN]}
    return sheet("flags/segments.html", which=which, segments=found, all=len(document.segments))


@sheets.get(PATH + "/stale")
def list_stale(which: OneEnvironment, services: Services) -> Response:
    found = stale(services.flags.orders.present(which.subject), services.clock().date())
    return sheet("flags/stale.html", which=which, stale=found[:MOST_SHOWN], all=len(found))


@sheets.get(PATH + "/flag")
def show_flag(which: OneEnvironment, services: Services, name: FlagQuery) -> Response:
    document = services.flags.orders.present(which.subject)
    if name not in document.flags:
        raise NotFound(f"{which.subject} has no flag {name!r}.", "It may be gone, or it is in a rollout that has just begun.")
    flag = document.flags[name]
    said = compare(FlagDocument(which.application), FlagDocument(which.application, flags={name: flag}))
    overdue = [one.why for one in stale(document, services.clock().date()) if one.flag == name]
    sentences = said[0].sentences if said else ()
    content = as_yaml({name: write_flag(flag)})
    return sheet("flags/flag.html", which=which, flag=flag, sentences=sentences, stale=overdue, content=content)


@dataclass(frozen=True, slots=True)
class Pair:
    change: Change
    rows: Sequence[Row]
    """Empty where the texts are too long to stand beside each other."""


@sheets.get("/sheets/documents/{application}/{number}/diff")
def show_diff(application: ApplicationName, number: DocumentNumber, services: Services, other: OtherNumber) -> Response:
    """Sentences as the API has them, and the texts of what changes beside each other."""
    orders = services.flags.orders
    old, new = orders.document(application, number), orders.document(application, other)
    changes = compare(old, new)
    shown = [Pair(change, beside(_text(old, change), _text(new, change))) for change in changes[:MOST_BESIDE]]
    shown += [Pair(change, ()) for change in changes[MOST_BESIDE:MOST_SHOWN]]
    return sheet("flags/diff.html", old=old, new=new, pairs=shown, all=len(changes))


def _text(document: FlagDocument, change: Change) -> str:
    if change.thing == "flag":
        flag = document.flags.get(change.name)
        return as_yaml({change.name: write_flag(flag)}) if flag is not None else ""
    segment = document.segments.get(change.name)
    return as_yaml({change.name: write_segment(segment)}) if segment is not None else ""


@sheets.post(PATH + "/who")
def who(
    which: OneEnvironment, services: Services, in_force: FlagsInForce, body: Annotated[WhoBody, Depends(body_of(WhoBody))]
) -> Response:
    """What an entity gets from what is in force, or from what is being typed."""
    changed = None if body.change is None else wished(services, which, body.change).document
    by, context = evaluator(services, in_force, which, changed), context_of(body)
    if body.flag:
        return sheet("flags/why.html", which=which, found=evaluated(by, context, body.flag))
    found = [result for name, result in by.evaluate_all(context).items() if body.q.lower() in name.lower()]
    shown = [say_result(result) for result in _shown(found)]
    return sheet("flags/who.html", which=which, results=shown, all=len(found))


def _shown(results: Sequence[Result]) -> Sequence[Result]:
    """What is not the same for everybody comes first."""
    return sorted(results, key=lambda result: result.reason in (Reason.STATIC, Reason.DISABLED))[:MOST_SHOWN]
