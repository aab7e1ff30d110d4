"""The JSON Schema of the service file, for editors."""

from __future__ import annotations

from typing import Any

from tidegate.core.service import Service


def service_schema() -> dict[str, Any]:
    schema = Service.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Tidegate service file"}
