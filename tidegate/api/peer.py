"""Who asks. A door finds out and writes it beside the request; no route answers a request that came through no door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tidegate.api.problems import Forbidden, Unauthorized

SCOPE_KEY = "tidegate.peer"
_MEND = "Send what is in the file `token` of Tidegate's home: Authorization: Bearer TOKEN."


@dataclass(frozen=True, slots=True)
class Peer:
    """`actor` is written into the history. `trusted`: the user's own socket, or the token; others only read.

    `rejected` says that a token was given and is wrong.
    """

    actor: str
    trusted: bool
    local: bool = False
    """Came through the unix socket."""
    rejected: bool = False


def admit(request: Request) -> Peer:
    """Whoever may ask this. Raises Forbidden or Unauthorized for everybody else."""
    peer = request.scope.get(SCOPE_KEY)
    if not isinstance(peer, Peer):
        raise Forbidden("This request came through no door of Tidegate.", "Use its unix socket, or its port on loopback.")
    if peer.rejected:
        raise Unauthorized("The token is wrong.", _MEND)
    if request.method not in ("GET", "HEAD") and not peer.trusted:
        raise Unauthorized("This needs the token, and none was sent.", _MEND)
    return peer


async def admitted(request: Request) -> Peer:
    """The same, before every route. What a route depends on is async where it can be: else each goes through a thread, and a
    thousand agents that come back would wait for one."""
    return admit(request)


Admitted = Annotated[Peer, Depends(admitted)]


async def trusted(peer: Admitted) -> Peer:
    """Who may also read what could hold secrets."""
    if not peer.trusted:
        raise Unauthorized("This may hold secrets and needs the token; none was sent.", _MEND)
    return peer
