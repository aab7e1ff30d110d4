"""Health: whether the controller ticks; and its end."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from tidegate import __version__
from tidegate.api.answers import HealthSeen, Said
from tidegate.api.needs import Services
from tidegate.api.openapi import described
from tidegate.api.peer import Admitted
from tidegate.api.present import answer
from tidegate.api.problems import Forbidden

router = APIRouter(tags=["health"])

LATE = timedelta(seconds=15)
"""A loop that has not ended a tick for so long is stuck: drivers give up before."""


@router.get("/health", **described(HealthSeen))
def health(services: Services) -> Response:
    """`ok`, `starting` or `stuck`, and how long ago the loop ended its last tick. Stuck answers with status 503."""
    seen, now = services.health(), services.clock()
    age = now - (seen.ticked or seen.started)
    status = "stuck" if age > LATE else "ok" if seen.ticked else "starting"
    content = {
        "status": status,
        "ready": status == "ok" and not seen.problems,
        "version": __version__,
        "tick_age": None if seen.ticked is None else max(age, timedelta(0)),
        "started": seen.started,
        "problems": list(seen.problems),
    }
    return answer(content, 503 if status == "stuck" else 200)


@router.post("/shutdown", **described(Said, status=202))
def shutdown(services: Services, peer: Admitted) -> Response:
    """Ends the controller, the router and all tasks. Only through the unix socket."""
    if not peer.local:
        raise Forbidden("The end is not asked for over TCP.", "Use the unix socket: tidegate down.")
    services.shutdown(peer.actor)
    return answer({"sentence": "Tidegate goes down: requests in flight are drained first."}, 202)
