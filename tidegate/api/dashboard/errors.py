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
from tidegate.api.problems import http_problem, problem
from tidegate.core.errors import NotFound, TidegateError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_MEND = "Go back to the first page."


class ShowsProblems(APIRoute):
    """A route of pages: its errors are pages too."""

    def get_route_handler(self) -> Handler:
        return _showing(super().get_route_handler(), _page)


class TellsProblems(APIRoute):
    """A route of parts of a page: so are its errors."""

    def get_route_handler(self) -> Handler:
        return _showing(super().get_route_handler(), _part)


def _showing(handle: Handler, show: Callable[[TidegateError], Response]) -> Handler:
    async def shown(request: Request) -> Response:
        try:
            return await handle(request)
        except TidegateError as error:
            return show(error)
        except RequestValidationError:
            return show(_no_page(request))

    return shown


def _page(error: TidegateError) -> Response:
    return page("problem.html", status=problem(error).status_code, title="Problem", what=error.what, mend=error.mend)


def _part(error: TidegateError) -> Response:
    return sheet("part_problem.html", status=problem(error).status_code, what=error.what, mend=error.mend)


def _no_page(request: Request) -> NotFound:
    return NotFound(f"There is no page {request.url.path[:200]}.", _MEND)


def add_problem_pages(app: FastAPI) -> None:
    """Who asks with a browser for what is not there gets a page; programs get the problem document, as before."""
    app.add_exception_handler(HTTPException, _for_whom_asks)


async def _for_whom_asks(request: Request, error: Exception) -> Response:
    is_missing = isinstance(error, HTTPException) and error.status_code == 404
    if is_missing and not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", ""):
        return _page(_no_page(request))
    return await http_problem(request, error)
