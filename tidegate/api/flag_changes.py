"""Changes of flags: each makes a document, or takes one that there is, and starts to release it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api.answers import Deployment
from tidegate.api.arguments import FlagName
from tidegate.api.body import body_of
from tidegate.api.door import MOST_FLAGS
from tidegate.api.flag_body import FlagBody, FlagsDeployBody, MannerBody, read_document
from tidegate.api.needs import ApiServices, Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted
from tidegate.api.present import answer
from tidegate.api.which import PATH, OneEnvironment
from tidegate.core.errors import Invalid
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.edit import remove_flag, remove_segment, set_flag, set_segment, turn_off, turn_on
from tidegate.engine.orders import Deployed

router = APIRouter(tags=["flags"])

HowBody = Annotated[MannerBody, Depends(body_of(MannerBody))]
ContentBody = Annotated[FlagBody, Depends(body_of(FlagBody, MOST_FLAGS))]


@router.post(f"{PATH}/deploy", **described(Deployment, body=FlagsDeployBody))
def deploy(
    which: OneEnvironment,
    services: Services,
    peer: Admitted,
    body: Annotated[FlagsDeployBody, Depends(body_of(FlagsDeployBody, MOST_FLAGS))],
) -> Response:
    """Starts to release a flag document step by step."""
    orders, manner = services.flags.orders, body.manner(peer.actor)
    if (body.number is None) == (body.content is None):
        raise Invalid("Give one of content and number.", "Content is a new document, number one that there is.", "content")
    if body.number is not None:
        return deployed(services, orders.deploy_number(which.application, which.environment, body.number, manner))
    document = read_document(body.content, body.format, which.application)
    return deployed(services, orders.deploy(which.application, which.environment, document, manner))


# --- Flags ------------------------------------------------------------------------------------------------------------------


@router.put(f"{PATH}/flags/{{flag}}", **described(Deployment, body=FlagBody))
def put_flag(which: OneEnvironment, flag: FlagName, services: Services, peer: Admitted, body: ContentBody) -> Response:
    """Starts to release the document in force with this flag as it is given."""
    return _edited(services, which.subject, lambda now: set_flag(now, flag, body.content), body, peer.actor)


@router.delete(f"{PATH}/flags/{{flag}}", **described(Deployment, body=MannerBody))
def delete_flag(which: OneEnvironment, flag: FlagName, services: Services, peer: Admitted, body: HowBody) -> Response:
    """Starts to release the document in force without this flag."""
    return _edited(services, which.subject, lambda now: remove_flag(now, flag), body, peer.actor)


@router.post(f"{PATH}/flags/{{flag}}/on", **described(Deployment, body=MannerBody))
def switch_on(which: OneEnvironment, flag: FlagName, services: Services, peer: Admitted, body: HowBody) -> Response:
    """Turns a flag on: for everybody, or for whom its rules say."""
    return _edited(services, which.subject, lambda now: turn_on(now, flag), body, peer.actor)


@router.post(f"{PATH}/flags/{{flag}}/off", **described(Deployment, body=MannerBody))
def switch_off(which: OneEnvironment, flag: FlagName, services: Services, peer: Admitted, body: HowBody) -> Response:
    """Turns a flag off for everybody. With `now` it is the kill switch."""
    return _edited(services, which.subject, lambda now: turn_off(now, flag), body, peer.actor)


# --- Segments ---------------------------------------------------------------------------------------------------------------


@router.put(f"{PATH}/segments/{{segment}}", **described(Deployment, body=FlagBody))
def put_segment(which: OneEnvironment, segment: FlagName, services: Services, peer: Admitted, body: ContentBody) -> Response:
    """Starts to release the document in force with this segment as it is given."""
    return _edited(services, which.subject, lambda now: set_segment(now, segment, body.content), body, peer.actor)


@router.delete(f"{PATH}/segments/{{segment}}", **described(Deployment, body=MannerBody))
def delete_segment(which: OneEnvironment, segment: FlagName, services: Services, peer: Admitted, body: HowBody) -> Response:
    """Starts to release the document in force without this segment."""
    return _edited(services, which.subject, lambda now: remove_segment(now, segment), body, peer.actor)


def _edited(
    services: ApiServices, subject: str, edit: Callable[[FlagDocument], FlagDocument], body: MannerBody, by: str
) -> Response:
    return deployed(services, services.flags.orders.change(subject, edit, body.manner(by)))


def deployed(services: ApiServices, done: Deployed) -> Response:
    rollout = services.glance.rollout(done.rollout.id) if done.rollout else None
    return answer({"rollout": rollout, "new": done.new, "sentence": done.sentence})
