"""The two doors, as rings around the app. A door finds out who asks, and lets no oversized, slow or foreign request in.

The API runs commands, so it is never simply open: the unix socket belongs to the user, TCP on loopback lets everybody on
this machine read, and wants the token for every change. A browser is kept from being somebody's deputy by `Host` (DNS
rebinding) and `Origin` (a foreign page).
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import pwd
import re
from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.api.peer import SCOPE_KEY, Peer
from tidegate.api.problems import Forbidden, TooLarge, TooSlow, problem
from tidegate.api.session_key import read_key
from tidegate.api.sigv4 import ALGORITHM
from tidegate.core.errors import TidegateError

MOST_BODY = 1024 * 1024
MOST_FLAGS = 16 * MOST_BODY
"""Of what is sent about an application: a flag document may name a hundred thousand users."""
BODY_WITHIN = 10.0
"""Seconds in which a request's body has to arrive."""
UID = "peer_uid"
"""Key of the connection's state under which the socket's server writes who connected."""
SIGNED = frozenset({"/configurationsessions", "/configuration"})
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_USER = re.compile(r"[A-Za-z0-9._@+-]{1,64}")


class Door:
    """A ring around the app that finds out who asks."""

    def __init__(self, app: ASGIApp, who: Callable[[Scope], Peer]) -> None:
        self._app = app
        self._who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            scope[SCOPE_KEY] = self._who(scope)
            receive = await _bounded(scope, receive)
        except TidegateError as error:
            await problem(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def socket_door(app: ASGIApp) -> Door:
    """The unix socket of mode 0600: whoever may connect to it may do everything."""
    return Door(app, _peer_of_socket)


def loopback_door(app: ASGIApp, token: str) -> Door:
    """TCP on loopback: reads for everybody on this machine, changes for whoever has the token."""
    return Door(app, lambda scope: _peer_of_loopback(scope, token))


def _peer_of_socket(scope: Scope) -> Peer:
    uid = scope.get("state", {}).get(UID)
    said = _said_user(scope)
    if uid is None:
        return Peer(said or "unknown", trusted=True, local=True)
    # Only root may speak for somebody else: `sudo tidegate` tells who typed it.
    return Peer(said if uid == 0 and said else _name_of(uid), trusted=True, local=True)


def _peer_of_loopback(scope: Scope, token: str) -> Peer:
    host = _one(scope, b"host")
    if not _LOOPBACK.fullmatch(host):
        raise Forbidden(f"The host {host[:100]!r} is not this machine.", "Use http://127.0.0.1:PORT.")
    for origin in _all(scope, b"origin"):
        if origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            raise Forbidden(f"A page of {origin[:100]!r} may not ask here.", "Ask from this machine, and from no foreign page.")
    given = _all(scope, b"authorization")
    if not given or _is_signed(scope, given):
        return Peer("", trusted=False)
    return _peer_with(given, token, _said_user(scope))


def _is_signed(scope: Scope, given: list[str]) -> bool:
    """As AWS's clients do it. The signature is checked at these paths themselves, with the body; nobody is trusted before."""
    return scope["path"] in SIGNED and len(given) == 1 and given[0].startswith(f"{ALGORITHM} ")


def _peer_with(given: list[str], token: str, said: str) -> Peer:
    kind, _, shown = given[0].partition(" ")
    shown = shown.strip()
    if not token or kind.lower() != "bearer" or len(given) > 1:
        return Peer("", trusted=False, rejected=True)
    if not hmac.compare_digest(shown.encode(), token.encode()):
        user = read_key(token, shown)
        return Peer("", trusted=False, rejected=True) if user is None else Peer(f"{user} (dashboard)", trusted=True)
    return Peer(f"{said} (token)" if said else "token", trusted=True)


def _all(scope: Scope, name: bytes) -> list[str]:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return [value.decode("latin-1") for key, value in headers if key == name]


def _one(scope: Scope, name: bytes) -> str:
    found = _all(scope, name)
    return found[0] if len(found) == 1 else ""


def _said_user(scope: Scope) -> str:
    said = _one(scope, b"x-tidegate-user")
    return said if _USER.fullmatch(said) else ""


@functools.lru_cache(maxsize=1000)
def _name_of(uid: int) -> str:
    """Looked up once: the file of users is read anew at each question."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


async def _bounded(scope: Scope, receive: Receive) -> Receive:
    """Reads the whole body before anybody looks at the request, or raises TooLarge or TooSlow."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return receive
    length, most = _one(scope, b"content-length"), _most(scope)
    if length.isdigit() and int(length[:20]) > most:
        raise _too_large(most)
    try:
        async with asyncio.timeout(BODY_WITHIN):
            body = await _read(receive, most)
    except TimeoutError as error:
        raise TooSlow(f"The body did not arrive within {BODY_WITHIN:g} s.", "Send it at once.") from error
    first: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def again() -> Message:
        nonlocal first
        if first is None:
            return await receive()
        message, first = first, None
        return message

    return again


def _most(scope: Scope) -> int:
    """Only who may change something sends that much."""
    peer = scope.get(SCOPE_KEY)
    is_large = str(scope["path"]).startswith("/v1/applications/") and isinstance(peer, Peer) and peer.trusted
    return MOST_FLAGS if is_large else MOST_BODY


async def _read(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(most)
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(body)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body has more than {most:,} bytes.", "Send less; a service file is small.")
