"""The JSON Schema of the environment file, for editors."""

from __future__ import annotations

from typing import Any

from tidegate.core.environment import Environment


def environment_schema() -> dict[str, Any]:
    schema = Environment.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Tidegate environment file"}
