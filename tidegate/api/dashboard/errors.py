"""What a person sees instead of a page that cannot be shown: the same two sentences as everywhere."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tidegate.api.dashboard.paper import page, sheet
from tidegate.api.problems import http_problem, note_unforeseen, problem
from tidegate.core.errors import Invalid, NotFound, TidegateError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Show = Callable[[int, str, str], Response]
_MEND = "Go back to the first page."


class ShowsProblems(APIRoute):
    """A route of pages: its errors are pages too."""

    def get_route_handler(self) -> Handler:
        return _showing(super().get_route_handler(), _page)


class TellsProblems(APIRoute):
    """A route of parts of a page: so are its errors."""

    def get_route_handler(self) -> Handler:
        return _showing(super().get_route_handler(), _part)


def _showing(handle: Handler, show: Show) -> Handler:
    async def shown(request: Request) -> Response:
        try:
            return await handle(request)
        except HTTPException:
            raise
        except TidegateError as error:
            return show(problem(error).status_code, error.what, error.mend)
        except RequestValidationError as wrong:
            found = _in_address(request, wrong)
            return show(problem(found).status_code, found.what, found.mend)
        except Exception:  # a page whose maker fails is a page, too: with what to do
            return show(500, *note_unforeseen(request.scope))

    return shown


def _page(status: int, what: str, mend: str) -> Response:
    return page("problem.html", status=status, title="Problem", what=what, mend=mend)


def _part(status: int, what: str, mend: str) -> Response:
    return sheet("part_problem.html", status=status, what=what, mend=mend)


def _in_address(request: Request, wrong: RequestValidationError) -> TidegateError:
    """What is wrong behind the question mark, or that there is no such page."""
    first = wrong.errors()[0]
    place, *rest = first["loc"]
    if place != "query":
        return _no_page(request)
    name, path = ".".join(str(part) for part in rest), request.url.path[:200]
    if first["type"] == "missing":
        return Invalid(f"This address is incomplete: it lacks {name}.", f"Write it as {path}?{name}=..., or go back.", name)
    said = str(first["msg"])
    return Invalid(f"In this address {name} is wrong: {said[0].lower()}{said[1:]}.", "Correct it, or go back.", name)


def _no_page(request: Request) -> NotFound:
    return NotFound(f"There is no page {request.url.path[:200]}.", _MEND)


def add_problem_pages(app: FastAPI) -> None:
    """Who asks with a browser for what is not there gets a page; programs get the problem document, as before."""
    app.add_exception_handler(HTTPException, _for_whom_asks)


async def _for_whom_asks(request: Request, error: Exception) -> Response:
    is_missing = isinstance(error, HTTPException) and error.status_code == 404
    if is_missing and not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", ""):
        missing = _no_page(request)
        return _page(404, missing.what, missing.mend)
    return await http_problem(request, error)
