"""The JSON Schema of the service file, for editors."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from tidegate.api.openapi import described
from tidegate.core.service import Service

router = APIRouter(tags=["schema"])


@router.get("/schema/service.json", **described(dict))
def service_json() -> Response:
    """The JSON Schema of the service file."""
    return JSONResponse(service_schema())


def service_schema() -> dict[str, Any]:
    schema = Service.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Tidegate service file"}
