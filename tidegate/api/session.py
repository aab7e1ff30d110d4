"""Signing in from a browser: a person who may open the socket gets a code that counts once, the browser gets a key for it.

The key is signed with the token, so that a restart of the controller ends no session and a new token ends all of them. It is
sent as `Authorization: Bearer KEY`, never as a cookie: cookies do not know ports, and would be shown to every service that
is released on this machine.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tidegate.api.answers import LoginCode, Session
from tidegate.api.body import CodeBody, body_of
from tidegate.api.needs import Services
from tidegate.api.openapi import described
from tidegate.api.peer import SCOPE_KEY, Admitted, Peer
from tidegate.api.present import answer
from tidegate.api.problems import Forbidden, Unauthorized
from tidegate.api.session_key import LASTS, write_key

CODE_LASTS = timedelta(minutes=2)
MOST_CODES = 100

router = APIRouter(tags=["sign in"])


@dataclass(frozen=True, slots=True)
class _Invited:
    user: str
    until: datetime


class Codes:
    """Codes that were given out and not used yet, by their digest. They die with the controller."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, _Invited] = {}

    def give(self, user: str) -> LoginCode:
        code, until = secrets.token_urlsafe(24), self._clock() + CODE_LASTS
        with self._lock:
            self._open = {key: one for key, one in list(self._open.items())[-MOST_CODES + 1 :] if one.until > self._clock()}
            self._open[_digest(code)] = _Invited(user, until)
        return {"code": code, "user": user, "until": until}

    def take(self, code: str) -> str:
        """The user whom it was given to. Raises Unauthorized for one that is wrong, late or used."""
        with self._lock:
            found = self._open.pop(_digest(code), None)
        if found is None or found.until <= self._clock():
            raise Unauthorized("This code is wrong, was used, or is too old.", "Ask for another: tidegate open.")
        return found.user


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def codes_of(request: Request) -> Codes:
    codes: Codes = request.app.state.codes
    return codes


@router.post("/login", **described(LoginCode))
def login(request: Request, peer: Admitted) -> Response:
    """Gives a code with which a browser signs in, once and soon. Only through the unix socket."""
    if not peer.local:
        raise Forbidden("A code is not given over TCP.", "Use the unix socket: tidegate open.")
    return answer(codes_of(request).give(peer.actor))


open_router = APIRouter(tags=["sign in"])
"""Asked by browsers that nobody trusts yet."""


@open_router.post("/session", **described(Session, body=CodeBody))
def begin_session(request: Request, services: Services, body: Annotated[CodeBody, Depends(body_of(CodeBody))]) -> Response:
    """Takes a code and answers with a key, which is sent as `Authorization: Bearer KEY`."""
    if not isinstance(request.scope.get(SCOPE_KEY), Peer):
        raise Forbidden("This request came through no door of Tidegate.", "Use its unix socket, or its port on loopback.")
    user = codes_of(request).take(body.code)
    key = write_key(services.token, user)
    return answer({"key": key, "user": user, "until": services.clock() + LASTS})
