"""Feature flags: environments, flag documents and their release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api.answers import Deployment, FlagsChecked, FlagsEvaluated, FlagsSaid, FlagsStale, Said
from tidegate.api.arguments import ApplicationName, DocumentNumber, EnvironmentName, FlagName, InFormat, Limit, OtherNumber
from tidegate.api.body import PromoteBody, RawBody, ReasonBody, RollbackBody, body_of
from tidegate.api.door import MOST_FLAGS
from tidegate.api.environments import as_it_is
from tidegate.api.flag_body import EvalBody, FlagBody, FlagsDeployBody, FlagsValidateBody, MannerBody, read_document
from tidegate.api.flag_preview import FlagsPreview, preview_flags
from tidegate.api.needs import ApiServices, Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted, trusted
from tidegate.api.present import answer
from tidegate.core.document import read
from tidegate.core.environment import Environment, subject_of
from tidegate.core.errors import Invalid
from tidegate.core.flags.appconfig_export import write_appconfig
from tidegate.core.flags.difference import compare
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.edit import remove_flag, remove_segment, set_flag, set_segment, turn_off, turn_on
from tidegate.core.flags.evaluate import Evaluator
from tidegate.core.flags.flags_writer import write_flags
from tidegate.core.flags.result import Result
from tidegate.core.flags.stale import stale
from tidegate.engine.orders import Deployed
from tidegate.engine.view import DocumentView, EnvironmentView, RolloutView

router = APIRouter(tags=["flags"])
_E = "/applications/{application}/environments/{environment}"


# --- Environments -----------------------------------------------------------------------------------------------------------


@router.get("/environments", **described(list[EnvironmentView]))
def list_environments(services: Services) -> Response:
    """All environments of all applications, with their agents, alarms and latest rollout."""
    return answer(services.flags.glance.environments())


@router.get(_E, **described(EnvironmentView))
def show_environment(application: ApplicationName, environment: EnvironmentName, services: Services) -> Response:
    """One environment."""
    return answer(services.flags.glance.environment(subject_of(application, environment)))


@router.put(_E, **described(Said, body=Environment))
def configure(
    application: ApplicationName, environment: EnvironmentName, services: Services, peer: Admitted, raw: RawBody
) -> Response:
    """Takes over plan, alarms, comparison and who is told."""
    file = read(Environment, raw.read("the environment file"), "the environment file")
    if (file.application, file.environment) != (application, environment):
        raise Invalid(
            f"The path names {application}/{environment}, the file {file.subject}.", "Name one environment.", "environment"
        )
    return answer({"sentence": services.flags.orders.configure(file, peer.actor)})


# --- Documents --------------------------------------------------------------------------------------------------------------


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


@router.get(f"{_E}/flags", dependencies=[Depends(trusted)], **described(FlagsSaid))
def show_flags(
    application: ApplicationName, environment: EnvironmentName, services: Services, format: InFormat = "tidegate"
) -> Response:
    """The flag document in force. Wants the token."""
    return _said(services.flags.orders.present(subject_of(application, environment)), format)


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


@router.post(f"{_E}/validate", **described(FlagsPreview, body=FlagsValidateBody))
def validate(
    application: ApplicationName,
    environment: EnvironmentName,
    services: Services,
    body: Annotated[FlagsValidateBody, Depends(body_of(FlagsValidateBody, MOST_FLAGS))],
) -> Response:
    """Checks a document, and says what releasing it would change, for whom, and what would look after it. Changes nothing."""
    orders, subject = services.flags.orders, subject_of(application, environment)
    if body.number is not None and body.content is None:
        new = orders.document(application, body.number)
    else:
        new = orders.numbered(read_document(body.content, body.format, application))
    now = as_it_is(services, subject)
    old = orders.document(application, now.document) if now and now.document else FlagDocument(application)
    file = orders.file(application, environment)
    return answer(preview_flags(file=file, old=old, new=new, chosen=body.plan, now=now, foresight=services.foresight))


def _checked(old: FlagDocument, new: FlagDocument) -> dict[str, Any]:
    return {
        "application": new.application,
        "flags": len(new.flags),
        "segments": len(new.segments),
        "changes": compare(old, new),
        "base": old.number,
    }


@router.get(f"{_E}/stale", dependencies=[Depends(trusted)], **described(list[FlagsStale]))
def show_stale(application: ApplicationName, environment: EnvironmentName, services: Services) -> Response:
    """Flags in force that should be gone, the longest overdue first."""
    present = services.flags.orders.present(subject_of(application, environment))
    found = stale(present, services.clock().date())
    return answer([{"flag": one.flag, "owner": one.owner, "since": one.since.isoformat(), "why": one.why} for one in found])


@router.post(f"{_E}/eval", **described(FlagsEvaluated, body=EvalBody))
def evaluate(
    application: ApplicationName,
    environment: EnvironmentName,
    services: Services,
    body: Annotated[EvalBody, Depends(body_of(EvalBody, MOST_FLAGS))],
) -> Response:
    """What an entity gets, by which rule, and why the others did not hold. Changes nothing."""
    if body.content is not None:
        evaluator: Any = Evaluator(read_document(body.content, body.format, application))
    else:
        posted = services.flags.board.get(subject_of(application, environment))
        present = services.flags.orders.present(subject_of(application, environment)) if posted is None else None
        evaluator = posted.snapshot.staged() if posted is not None else Evaluator(present) if present is not None else None
    if body.flag is None:
        results = evaluator.evaluate_all(body.context)
        return answer({"results": [_result(result) for result in results.values()], "sentence": "", "steps": []})
    explained = evaluator.explain(body.flag, body.context)
    steps = [str(step) for step in explained.steps]
    return answer({"results": [_result(explained.result)], "sentence": explained.sentence, "steps": steps})


def _result(result: Result) -> dict[str, Any]:
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


# --- Releasing --------------------------------------------------------------------------------------------------------------


@router.post(f"{_E}/deploy", **described(Deployment, body=FlagsDeployBody))
def deploy(
    application: ApplicationName,
    environment: EnvironmentName,
    services: Services,
    peer: Admitted,
    body: Annotated[FlagsDeployBody, Depends(body_of(FlagsDeployBody, MOST_FLAGS))],
) -> Response:
    """Starts to release a flag document step by step."""
    orders, manner = services.flags.orders, body.manner(peer.actor)
    if (body.number is None) == (body.content is None):
        raise Invalid("Give one of content and number.", "Content is a new document, number one that there is.", "content")
    if body.number is not None:
        return _deployed(services, orders.deploy_number(application, environment, body.number, manner))
    document = read_document(body.content, body.format, application)
    return _deployed(services, orders.deploy(application, environment, document, manner))


Edit = Callable[[FlagDocument], FlagDocument]
HowBody = Annotated[MannerBody, Depends(body_of(MannerBody))]
ContentBody = Annotated[FlagBody, Depends(body_of(FlagBody, MOST_FLAGS))]


@router.put(f"{_E}/flags/{{flag}}", **described(Deployment, body=FlagBody))
def put_flag(  # noqa: PLR0917 - what FastAPI fills in
    application: ApplicationName,
    environment: EnvironmentName,
    flag: FlagName,
    services: Services,
    peer: Admitted,
    body: ContentBody,
) -> Response:
    """Starts to release the document in force with this flag as it is given."""
    return _edited(
        services, subject_of(application, environment), lambda now: set_flag(now, flag, body.content), body, peer.actor
    )


@router.delete(f"{_E}/flags/{{flag}}", **described(Deployment, body=MannerBody))
def delete_flag(  # noqa: PLR0917 - what FastAPI fills in
    application: ApplicationName,
    environment: EnvironmentName,
    flag: FlagName,
    services: Services,
    peer: Admitted,
    body: HowBody,
) -> Response:
    """Starts to release the document in force without this flag."""
    return _edited(services, subject_of(application, environment), lambda now: remove_flag(now, flag), body, peer.actor)


@router.post(f"{_E}/flags/{{flag}}/on", **described(Deployment, body=MannerBody))
def switch_on(  # noqa: PLR0917 - what FastAPI fills in
    application: ApplicationName,
    environment: EnvironmentName,
    flag: FlagName,
    services: Services,
    peer: Admitted,
    body: HowBody,
) -> Response:
    """Turns a flag on: for everybody, or for whom its rules say."""
    return _edited(services, subject_of(application, environment), lambda now: turn_on(now, flag), body, peer.actor)


@router.post(f"{_E}/flags/{{flag}}/off", **described(Deployment, body=MannerBody))
def switch_off(  # noqa: PLR0917 - what FastAPI fills in
    application: ApplicationName,
    environment: EnvironmentName,
    flag: FlagName,
    services: Services,
    peer: Admitted,
    body: HowBody,
) -> Response:
    """Turns a flag off for everybody. With `now` it is the kill switch."""
    return _edited(services, subject_of(application, environment), lambda now: turn_off(now, flag), body, peer.actor)


@router.put(f"{_E}/segments/{{segment}}", **described(Deployment, body=FlagBody))
def put_segment(  # noqa: PLR0917 - what FastAPI fills in
    application: ApplicationName,
    environment: EnvironmentName,
    segment: FlagName,
    services: Services,
    peer: Admitted,
    body: ContentBody,
) -> Response:
    """Starts to release the document in force with this segment as it is given."""
    return _edited(
        services, subject_of(application, environment), lambda now: set_segment(now, segment, body.content), body, peer.actor
    )


@router.delete(f"{_E}/segments/{{segment}}", **described(Deployment, body=MannerBody))
def delete_segment(  # noqa: PLR0917 - what FastAPI fills in
    application: ApplicationName,
    environment: EnvironmentName,
    segment: FlagName,
    services: Services,
    peer: Admitted,
    body: HowBody,
) -> Response:
    """Starts to release the document in force without this segment."""
    return _edited(services, subject_of(application, environment), lambda now: remove_segment(now, segment), body, peer.actor)


# --- Interventions ----------------------------------------------------------------------------------------------------------

Because = Annotated[ReasonBody, Depends(body_of(ReasonBody))]


@router.post(f"{_E}/pause", **described(RolloutView, body=ReasonBody))
def pause(
    application: ApplicationName, environment: EnvironmentName, services: Services, peer: Admitted, body: Because
) -> Response:
    """Holds the exposure. Guards keep looking and may roll back."""
    return _view(services, services.orders.pause(subject_of(application, environment), peer.actor, body.reason).id)


@router.post(f"{_E}/resume", **described(RolloutView, body=ReasonBody))
def resume(
    application: ApplicationName, environment: EnvironmentName, services: Services, peer: Admitted, body: Because
) -> Response:
    """Goes on where it was paused."""
    return _view(services, services.orders.resume(subject_of(application, environment), peer.actor, body.reason).id)


@router.post(f"{_E}/promote", **described(RolloutView, body=PromoteBody))
def promote(
    application: ApplicationName,
    environment: EnvironmentName,
    services: Services,
    peer: Admitted,
    body: Annotated[PromoteBody, Depends(body_of(PromoteBody))],
) -> Response:
    """Goes to the next step without waiting, or to the last one."""
    subject = subject_of(application, environment)
    return _view(services, services.orders.promote(subject, peer.actor, body.reason, full=body.full).id)


@router.post(f"{_E}/abort", **described(RolloutView, body=ReasonBody))
def abort(
    application: ApplicationName, environment: EnvironmentName, services: Services, peer: Admitted, body: Because
) -> Response:
    """Rolls back."""
    return _view(services, services.orders.abort(subject_of(application, environment), peer.actor, body.reason).id)


@router.post(f"{_E}/rollback", **described(Deployment, body=RollbackBody))
def rollback(
    application: ApplicationName,
    environment: EnvironmentName,
    services: Services,
    peer: Admitted,
    body: Annotated[RollbackBody, Depends(body_of(RollbackBody))],
) -> Response:
    """Brings back the document before, or the one that is named, at once; with what was released together with it."""
    if body.to is not None and not (body.to.isascii() and body.to.isdigit()):
        raise Invalid(f"{body.to[:40]!r} is not the number of a document.", "Give a number, as 3.", "to")
    subject = subject_of(application, environment)
    return _deployed(
        services, services.releases.rollback(subject, peer.actor, to=body.to, reason=body.reason, alone=body.alone)
    )


def _edited(services: ApiServices, subject: str, edit: Edit, body: MannerBody, by: str) -> Response:
    return _deployed(services, services.flags.orders.change(subject, edit, body.manner(by)))


def _view(services: ApiServices, rollout: str) -> Response:
    return answer(services.glance.rollout(rollout))


def _deployed(services: ApiServices, done: Deployed) -> Response:
    rollout = services.glance.rollout(done.rollout.id) if done.rollout else None
    return answer({"rollout": rollout, "new": done.new, "sentence": done.sentence})
