"""Errors as RFC 9457 problem documents: what happened, with its values, and the mend. Never a traceback."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.core.errors import Conflict, Invalid, NotFound, Refused, Stale, TidegateError, Unreachable

MEDIA_TYPE = "application/problem+json"


class Unauthorized(Refused):
    """Who asks is not known to be allowed."""


class Forbidden(Refused):
    """Not from there, whoever asks."""


class TooLarge(Refused):
    """The request has more than we take."""


class TooSlow(Refused):
    """The request did not arrive in time."""


# The first that fits: heirs stand before their parents.
_KINDS: tuple[tuple[type[TidegateError], int, str, str], ...] = (
    (Invalid, 422, "invalid", "Invalid"),
    (NotFound, 404, "not-found", "Not found"),
    (Conflict, 409, "conflict", "Conflict"),
    (Unauthorized, 401, "unauthorized", "Unauthorized"),
    (Forbidden, 403, "forbidden", "Forbidden"),
    (TooLarge, 413, "too-large", "Too large"),
    (TooSlow, 408, "too-slow", "Too slow"),
    (Refused, 400, "refused", "Refused"),
    (Stale, 409, "stale", "Changed meanwhile"),
    (Unreachable, 503, "unreachable", "Unreachable"),
)


def problem(error: TidegateError) -> Response:
    for kind, status, name, title in _KINDS:
        if isinstance(error, kind):
            where = error.where if isinstance(error, Invalid) else ""
            return _document(status, name, title, what=error.what, mend=error.mend, where=where)
    return _document(500, "unforeseen", "Unforeseen", what=error.what, mend=error.mend)


def _document(
    status: int, name: str, title: str, *, what: str, mend: str, where: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    content = {"type": f"urn:tidegate:{name}", "title": title, "status": status, "detail": what, "mend": mend}
    if where:
        content["where"] = where
    extra = dict(headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        extra["WWW-Authenticate"] = 'Bearer realm="tidegate"'
    return JSONResponse(content, status, extra, MEDIA_TYPE)


def add_problems(app: FastAPI) -> None:
    """Makes every error of this app a problem document."""
    app.add_exception_handler(TidegateError, _told)
    app.add_exception_handler(RequestValidationError, _bad_argument)
    app.add_exception_handler(HTTPException, http_problem)
    app.add_middleware(NeverATraceback)


async def _told(_request: Request, error: Exception) -> Response:
    if not isinstance(error, TidegateError):
        raise error
    return problem(error)


async def _bad_argument(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    message = str(first["msg"])
    what = f"{first['loc'][0]} argument {where!r}: {message[0].lower()}{message[1:]}."
    return problem(Invalid(what, "Correct it; GET /v1/openapi.json describes every argument.", where))


async def http_problem(request: Request, error: Exception) -> Response:
    """Of what no route answers."""
    if not isinstance(error, HTTPException):
        raise error
    match error.status_code:
        case 404:
            what, mend = f"There is no {request.url.path[:200]}.", "GET /v1/openapi.json lists every route."
        case 405:
            allowed = (error.headers or {}).get("Allow", "another method")
            what, mend = f"{request.url.path[:200]} does not take {request.method[:20]}.", f"It takes {allowed}."
        case _:
            what, mend = str(error.detail)[:300], "GET /v1/openapi.json describes every route."
    phrase = HTTPStatus(error.status_code).phrase
    return _document(error.status_code, phrase.lower().replace(" ", "-"), phrase, what=what, mend=mend, headers=error.headers)


class NeverATraceback:
    """The outermost ring of the app: what nobody foresaw is logged under a reference, which is all that the caller gets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            what, mend = note_unforeseen(scope)
            if not begun:
                await _document(500, "unforeseen", "Unforeseen", what=what, mend=mend)(scope, receive, send)


def note_unforeseen(scope: Scope) -> tuple[str, str]:
    """Writes down the error that is being handled, and gives what may be told of it, with the mend."""
    reference = secrets.token_hex(4)
    log = structlog.get_logger()
    # As a text: a rendered traceback would show the values of variables, and the token is one of them.
    where = {"method": scope.get("method"), "path": scope.get("path")}
    log.error("unforeseen", reference=reference, **where, traceback=traceback.format_exc())
    what = f"Something went wrong that nobody foresaw (reference {reference})."
    return what, f"Look for {reference} in the controller's log, and please report it."
