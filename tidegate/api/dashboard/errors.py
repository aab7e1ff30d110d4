"""What a person sees instead of a page that cannot be shown: the same two sentences as everywhere."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from tidegate.api.dashboard.paper import page
from tidegate.api.problems import problem
from tidegate.core.errors import NotFound, TidegateError


class ShowsProblems(APIRoute):
    """A route of pages: its errors are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except TidegateError as error:
                return _page(error)
            except RequestValidationError:
                return _page(NotFound(f"There is no page {request.url.path[:200]}.", "Go back to the first page."))

        return shown


def _page(error: TidegateError) -> Response:
    return page("problem.html", status=problem(error).status_code, title="Problem", what=error.what, mend=error.mend)
