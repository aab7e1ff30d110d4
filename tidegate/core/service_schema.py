"""The JSON Schema of the service file, for editors."""

from __future__ import annotations

from typing import Any

from tidegate.core.service import Service


def service_schema() -> dict[str, Any]:
    schema = Service.model_json_schema()
    # Where the platform has a load balancer of its own, the service has no listener here.
    schema["required"] = [name for name in schema["required"] if name != "listener"]
    schema["anyOf"] = [{"required": ["listener"]}, {"required": ["platform"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Tidegate service file"}
