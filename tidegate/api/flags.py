"""Feature flags: what is in force, the documents there are, and what one would mean for whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api import environment_rollouts, flag_changes
from tidegate.api.answers import FlagResult, FlagsChecked, FlagsEvaluated, FlagsSaid, FlagsStale
from tidegate.api.arguments import ApplicationName, DocumentNumber, InFormat, Limit, OtherNumber
from tidegate.api.body import body_of
from tidegate.api.door import MOST_FLAGS
from tidegate.api.environments import as_it_is
from tidegate.api.flag_body import EvalBody, FlagsValidateBody, read_document
from tidegate.api.flag_preview import FlagsPreview, preview_flags
from tidegate.api.in_force import FlagsInForce, InForce
from tidegate.api.needs import ApiServices, Services
from tidegate.api.openapi import described
from tidegate.api.peer import trusted
from tidegate.api.present import answer
from tidegate.api.which import PATH, OneEnvironment, Which
from tidegate.core.errors import Invalid
from tidegate.core.flags.appconfig_export import write_appconfig
from tidegate.core.flags.difference import compare
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.evaluate import Evaluator
from tidegate.core.flags.flags_writer import write_flags
from tidegate.core.flags.result import Result
from tidegate.core.flags.staged import Staged
from tidegate.core.flags.stale import stale
from tidegate.core.plan import PlanFile
from tidegate.engine.flag_orders import FlagOrders
from tidegate.engine.view import DocumentView

router = APIRouter(tags=["flags"])
for _part in (flag_changes, environment_rollouts):
    router.include_router(_part.router)


@router.get("/applications/{application}/documents", **described(list[DocumentView]))
def list_documents(application: ApplicationName, services: Services, limit: Limit = 50) -> Response:
    """The flag documents of an application without their content, newest first."""
    return answer(services.flags.glance.documents(application, limit))


@router.get("/applications/{application}/documents/{number}", dependencies=[Depends(trusted)], **described(FlagsSaid))
def show_document(
    application: ApplicationName, number: DocumentNumber, services: Services, format: InFormat = "tidegate"
) -> Response:
    """One flag document. Wants the token: segments name people."""
    return _said(services.flags.orders.document(application, number), format)


@router.get(f"{PATH}/flags", dependencies=[Depends(trusted)], **described(FlagsSaid))
def show_flags(which: OneEnvironment, services: Services, format: InFormat = "tidegate") -> Response:
    """The flag document in force. Wants the token."""
    return _said(services.flags.orders.present(which.subject), format)


def _said(document: FlagDocument, kind: str) -> Response:
    if kind not in ("tidegate", "appconfig"):
        raise Invalid(f"Documents are not written as {kind[:40]!r}.", "Ask for tidegate or appconfig.", "format")
    content = write_flags(document) if kind == "tidegate" else write_appconfig(document)
    return answer({"application": document.application, "number": document.number, "content": content})


@router.get("/applications/{application}/documents/{number}/diff", dependencies=[Depends(trusted)], **described(FlagsChecked))
def show_diff(application: ApplicationName, number: DocumentNumber, services: Services, other: OtherNumber) -> Response:
    """What changes from this document to the `other` one, and for whom. Wants the token."""
    orders = services.flags.orders
    old, new = orders.document(application, number), orders.document(application, other)
    return answer(_checked(old, new))


@router.post(f"{PATH}/validate", **described(FlagsPreview, body=FlagsValidateBody))
def validate(
    which: OneEnvironment,
    services: Services,
    body: Annotated[FlagsValidateBody, Depends(body_of(FlagsValidateBody, MOST_FLAGS))],
) -> Response:
    """Checks a document, and says what releasing it would change, for whom, and what would look after it. Changes nothing."""
    return answer(ahead(services, which, _wanted(which, body, services.flags.orders), body.plan))


def ahead(services: ApiServices, which: Which, new: FlagDocument, chosen: PlanFile | None) -> FlagsPreview:
    """What releasing this document would do. Raises Invalid for a plan that cannot be."""
    orders, now = services.flags.orders, as_it_is(services, which)
    old = orders.document(which.application, now.document) if now and now.document else FlagDocument(which.application)
    file = orders.file(which.application, which.environment)
    found = orders.monitors(file)
    return preview_flags(file=file, old=old, new=new, chosen=chosen, now=now, foresight=services.foresight, monitors=found)


def _wanted(which: Which, body: FlagsValidateBody, orders: FlagOrders) -> FlagDocument:
    if body.number is not None and body.content is None:
        return orders.document(which.application, body.number)
    document = read_document(body.content, body.format, which.application)
    if document.application != which.application:
        raise Invalid(
            f"The document is of {document.application}, the path names {which.application}.", "Name one.", "application"
        )
    return orders.numbered(document)


def _checked(old: FlagDocument, new: FlagDocument) -> dict[str, Any]:
    return {
        "application": new.application,
        "flags": len(new.flags),
        "segments": len(new.segments),
        "changes": compare(old, new),
        "base": old.number,
    }


@router.get(f"{PATH}/stale", dependencies=[Depends(trusted)], **described(list[FlagsStale]))
def show_stale(which: OneEnvironment, services: Services) -> Response:
    """Flags in force that should be gone, the longest overdue first."""
    present = services.flags.orders.present(which.subject)
    found = stale(present, services.clock().date())
    return answer([{"flag": one.flag, "owner": one.owner, "since": one.since.isoformat(), "why": one.why} for one in found])


@router.post(f"{PATH}/eval", **described(FlagsEvaluated, body=EvalBody))
def evaluate(
    which: OneEnvironment,
    services: Services,
    in_force: FlagsInForce,
    body: Annotated[EvalBody, Depends(body_of(EvalBody, MOST_FLAGS))],
) -> Response:
    """What an entity gets, by which rule, and why the others did not hold. Changes nothing."""
    document = None if body.content is None else read_document(body.content, body.format, which.application)
    return answer(evaluated(evaluator(services, in_force, which, document), body.context, body.flag))


def evaluator(services: ApiServices, in_force: InForce, which: Which, document: FlagDocument | None) -> Evaluator | Staged:
    """Of this document; without one of what is in force, where a rollout counts as far as it is."""
    if document is not None:
        return Evaluator(document)
    if services.flags.board.get(which.subject) is None:
        return Evaluator(services.flags.orders.present(which.subject))
    return in_force.of(which.application, which.environment).view.staged


def evaluated(by: Evaluator | Staged, context: Mapping[str, Any], flag: str | None) -> FlagsEvaluated:
    """All flags, or one and why."""
    if flag is None:
        return {"results": [say_result(result) for result in by.evaluate_all(context).values()], "sentence": "", "steps": []}
    explained = by.explain(flag, context)
    steps = [str(step) for step in explained.steps]
    return {"results": [say_result(explained.result)], "sentence": explained.sentence, "steps": steps}


def say_result(result: Result) -> FlagResult:
    return {
        "flag": result.flag,
        "value": result.value,
        "variant": result.variant,
        "enabled": result.enabled,
        "reason": result.reason.value,
        "document": result.number,
        "side": result.side.value,
        "rule": result.rule_text,
        "error": result.error,
        "message": result.message,
    }
