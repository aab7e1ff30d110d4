"""The JSON Schema of the service file, for editors."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from tidegate.api.openapi import described
from tidegate.core.service_schema import service_schema

router = APIRouter(tags=["schema"])


@router.get("/schema/service.json", **described(dict))
def service_json() -> Response:
    """The JSON Schema of the service file."""
    return JSONResponse(service_schema())
