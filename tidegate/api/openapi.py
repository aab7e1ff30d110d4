"""The API's description of itself. Routes read and write JSON by their own strict reader, so they say here what they take
and answer."""

from __future__ import annotations

from types import GenericAlias
from typing import Any, get_args, get_origin

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tidegate.api import answers, body, flag_body
from tidegate.api.flag_preview import FlagsPreview
from tidegate.api.forecast import ForecastAhead
from tidegate.api.peer import admit
from tidegate.api.preview import Preview
from tidegate.api.release_body import ReleaseBody
from tidegate.core.environment import Environment
from tidegate.core.flags.agent_report import ReportFile
from tidegate.core.service import Service
from tidegate.engine.notices import Tried
from tidegate.engine.view import DocumentView, EnvironmentView, ReleaseView, RolloutView, ServiceView

API_VERSION = "1"
_REF = "#/components/schemas/{model}"
_DURATION = {"type": "string", "examples": ["1m30s", "500ms"]}
_BODIES = (
    Service, body.DeployBody, body.ValidateBody, body.ForecastBody, body.ReasonBody, body.PromoteBody, body.RollbackBody,
    body.PushBody, Environment, ReportFile, flag_body.MannerBody, flag_body.FlagsDeployBody, flag_body.FlagsValidateBody,
    flag_body.FlagsForecastBody, flag_body.FlagBody, flag_body.EvalBody, flag_body.OfrepBody, ReleaseBody, body.CodeBody,
    body.NotifyBody,
)  # fmt: skip
_ANSWERS = (
    ServiceView, RolloutView, Preview, ForecastAhead, answers.Said, answers.Problem, answers.Deployment, answers.Happening,
    answers.Explained, answers.ServiceAlarms, answers.Taken, answers.Line, answers.HealthSeen,
    EnvironmentView, DocumentView, answers.FlagsSaid, answers.FlagsChecked, answers.FlagsStale, answers.FlagsEvaluated,
    answers.OfrepAnswer, answers.OfrepAnswers, FlagsPreview, ReleaseView, answers.ReleaseBegun,
    answers.LoginCode, answers.Session, Tried,
)  # fmt: skip
_PROBLEM = {
    "description": "What went wrong, and the mend.",
    "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
}


def described(
    answer: type | GenericAlias,
    *,
    body: type | None = None,
    many: bool = False,
    media: str = "application/json",
    status: int = 200,
) -> dict[str, Any]:
    """Arguments of a route: what it answers, and what it takes (`many`: one, or a list of them)."""
    extra: dict[str, Any] = {"responses": {str(status): {"content": {media: {"schema": _schema_of(answer)}}}}}
    if body is not None:
        one = _schema_of(body)
        schema = {"anyOf": [one, {"type": "array", "items": one}]} if many else one
        extra["requestBody"] = {"content": {kind: {"schema": schema} for kind in ("application/json", "application/yaml")}}
    return {"response_model": None, "responses": {"default": _PROBLEM}, "openapi_extra": extra, "status_code": status}


def _schema_of(kind: type | GenericAlias) -> dict[str, Any]:
    if get_origin(kind) is list:
        return {"type": "array", "items": _schema_of(get_args(kind)[0])}
    if kind in (str, dict):
        return {"type": "string" if kind is str else "object"}
    return {"$ref": _REF.format(model=kind.__name__)}


def add_openapi(app: FastAPI) -> None:
    """Serves the description at /v1/openapi.json."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(describe(app))
        return made

    def show(request: Request) -> Response:
        admit(request)
        return JSONResponse(openapi())

    app.openapi = openapi  # type: ignore[method-assign]
    app.add_api_route("/v1/openapi.json", show, include_in_schema=False)


def describe(app: FastAPI) -> dict[str, Any]:
    description = get_openapi(title="Tidegate", version=API_VERSION, routes=app.routes, description=_ABOUT)
    components = description.setdefault("components", {})
    components["schemas"] = _components()
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            if path != _OPEN and (method != "get" or path.endswith(_GUARDED)):
                operation["security"] = [{"token": []}]
    return description


_GUARDED = ("/logs", "/snapshot", "}/stream", "/flags", "/stale", "/diff", "/documents/{number}")
"""Reads that want the token, too."""
_OPEN = "/v1/session"
"""Takes a code, which is better than a token: it counts once."""

_ABOUT = (
    "Reads need no token on loopback; every change, logs and flag documents want `Authorization: Bearer TOKEN`. "
    "The unix socket needs none. Durations are written as `1m30s`, shares as `10%`, times in ISO 8601 and UTC."
)


def _components() -> dict[str, Any]:
    inputs = [(kind, "validation", TypeAdapter(kind)) for kind in _BODIES]
    outputs = [(kind, "serialization", TypeAdapter(kind)) for kind in _ANSWERS]
    _, schemas = TypeAdapter.json_schemas([*inputs, *outputs], ref_template=_REF)  # type: ignore[list-item]
    components: dict[str, Any] = schemas["$defs"]
    components["Harm"] = TypeAdapter(answers.Harm).json_schema(mode="serialization")
    replaced: dict[str, Any] = _durations(components)
    return replaced


def _durations(schema: Any) -> Any:
    """Our durations are not ISO 8601's."""
    if isinstance(schema, list):
        return [_durations(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "duration":
        return {**{key: value for key, value in schema.items() if key not in ("type", "format")}, **_DURATION}
    return {key: _durations(inner) for key, inner in schema.items()}
