"""Releases: versions and flags that go forward, and back, together."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tidegate.api.answers import ReleaseBegun
from tidegate.api.arguments import Limit, ReleaseId
from tidegate.api.body import body_of
from tidegate.api.door import MOST_FLAGS
from tidegate.api.flag_body import read_document
from tidegate.api.needs import Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted
from tidegate.api.present import answer
from tidegate.api.release_body import FlagsPartBody, ReleaseBody
from tidegate.core.errors import Invalid
from tidegate.engine.releases import FlagsPart, VersionPart
from tidegate.engine.view import ReleaseView

router = APIRouter(tags=["releases"])


@router.get("/releases", **described(list[ReleaseView]))
def list_releases(services: Services, limit: Limit = 50) -> Response:
    """Releases, newest first, each with its rollouts."""
    return answer(services.glance.releases(limit))


@router.get("/releases/{release}", **described(ReleaseView))
def show_release(release: ReleaseId, services: Services) -> Response:
    """One release as it is now. What a person does to one of its rollouts is done to all of them."""
    return answer(services.glance.release(release))


@router.post("/releases", **described(ReleaseBegun, body=ReleaseBody))
def begin(
    services: Services, peer: Admitted, body: Annotated[ReleaseBody, Depends(body_of(ReleaseBody, MOST_FLAGS))]
) -> Response:
    """Starts all parts of a release, or none."""
    done = services.releases.begin(
        body.release,
        [VersionPart(part.file, part.version) for part in body.services],
        [_flags(part, number) for number, part in enumerate(body.flags)],
        plan=body.plan,
        by=peer.actor,
        reason=body.reason,
    )
    parts = [services.glance.rollout(part.rollout.id) for part in done.parts if part.rollout is not None]
    return answer({"release": done.release, "rollouts": parts, "sentences": done.sentences})


def _flags(part: FlagsPartBody, number: int) -> FlagsPart:
    if part.format != "tidegate" and part.application is None:
        raise Invalid(
            f"A document in the words of {part.format} does not say whose flags these are.",
            "Add a line: application: shop.",
            f"flags[{number}].application",
        )
    return FlagsPart(part.environment, read_document(part.content, part.format, part.application or ""), part.base)
