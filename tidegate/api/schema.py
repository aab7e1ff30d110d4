"""The JSON Schemas of the files that people write, for editors."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from tidegate.api.openapi import described
from tidegate.core.environment_schema import environment_schema
from tidegate.core.flags.flags_schema import flags_schema
from tidegate.core.service_schema import service_schema

router = APIRouter(tags=["schema"])


@router.get("/schema/service.json", **described(dict))
def service_json() -> Response:
    """The JSON Schema of the service file."""
    return JSONResponse(service_schema())


@router.get("/schema/flags.json", **described(dict))
def flags_json() -> Response:
    """The JSON Schema of the flag file."""
    return JSONResponse(flags_schema())


@router.get("/schema/environment.json", **described(dict))
def environment_json() -> Response:
    """The JSON Schema of the environment file."""
    return JSONResponse(environment_schema())
