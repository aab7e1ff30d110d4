"""Bodies of requests: JSON by its media type, YAML otherwise, read by the strict reader and into documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import Field, PlainValidator, StringConstraints, WithJsonSchema

from tidegate.api.arguments import ENVIRONMENT, SUBJECT
from tidegate.core.compare_file import parse_percent
from tidegate.core.document import Document, read
from tidegate.core.errors import Invalid
from tidegate.core.plan import PlanFile
from tidegate.core.rate import parse_rate
from tidegate.core.service import Name, Service, VersionName
from tidegate.core.text import MOST_BYTES, read_json, read_yaml

Reason = Annotated[str, StringConstraints(max_length=500)]
Subject = Annotated[str, StringConstraints(pattern=ENVIRONMENT)]


class NotifyBody(Document):
    subject: Annotated[str, StringConstraints(pattern=SUBJECT)]
    """A service, or an environment as shop/prod."""


class DeployBody(Document):
    file: Service
    """The service file."""
    version: VersionName
    plan: PlanFile | None = None
    """Instead of the file's plan; a sentence as `linear 10% every 1m` will do."""
    reason: Reason = ""


class ValidateBody(Document):
    file: Service
    version: VersionName | None = None
    plan: PlanFile | None = None


def _rate(content: Any) -> float:
    if isinstance(content, bool) or not isinstance(content, str | int | float):
        raise ValueError(f"{content!r} is no traffic.\nWrite requests a second, as 30/s.")
    return _read(str(content), parse_rate)


def _share(content: Any) -> float:
    if not isinstance(content, str):
        raise ValueError(f"{content!r} is no share.\nWrite it in percent, as 0.1%.")
    share = _read(content, parse_percent)
    if share > MOST_FAILING:
        raise ValueError(f"a service that fails {content} of its requests is not there to be released to.\nMend it first.")
    return share


def _read(text: str, parse: Callable[[str], float]) -> float:
    try:
        return parse(text)
    except Invalid as wrong:
        raise ValueError(str(wrong)) from wrong


MOST_FAILING = 0.5
Rate = Annotated[float, PlainValidator(_rate), WithJsonSchema({"type": "string", "examples": ["30/s", "1800/m", "2k/s"]})]
Share = Annotated[float, PlainValidator(_share), WithJsonSchema({"type": "string", "examples": ["0.1%"]})]


class ForecastBody(Document):
    file: Service
    plan: PlanFile | None = None
    traffic: Rate | None = None
    """Requests a second, as `30/s`; by default what the service has now."""
    errors: Share | None = None
    """The share of them that fails anyway, as `0.1%`; by default what the last day knows."""


class ReasonBody(Document):
    reason: Reason = ""


class CodeBody(Document):
    code: Annotated[str, StringConstraints(max_length=200)]
    """What `tidegate open` put behind the # of its address."""


class PromoteBody(Document):
    reason: Reason = ""
    full: bool = False
    """To the last step instead of the next one."""


class RollbackBody(Document):
    to: VersionName | None = None
    """By default the version before."""
    alone: bool = False
    """Leave where they are the other parts of the release that brought it."""
    reason: Reason = ""


class PushBody(Document):
    """One value of a metric."""

    value: Annotated[float, Field(allow_inf_nan=False)]
    labels: Annotated[dict[str, str], Field(max_length=20)] = Field(default_factory=dict)
    service: Name | None = None
    environment: Subject | None = None
    """Instead of a service, as `shop/prod`; its versions are the numbers of documents."""
    version: VersionName | None = None
    at: Annotated[str, StringConstraints(max_length=40)] | None = None
    """ISO 8601 with its zone; by default now."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A body as it came. It is read by the route, in its thread: a large text takes a while."""

    content: bytes
    kind: str

    def read(self, what: str, most: int = MOST_BYTES) -> Any:
        try:
            text = self.content.decode()
        except UnicodeDecodeError as wrong:
            raise Invalid(f"{what} is not UTF-8 (byte {wrong.start}).", "Save it as UTF-8.") from wrong
        if self.kind in ("application/json", "text/json"):
            return read_json(text, what, most)
        return read_yaml(text, what, most)


async def raw_body(request: Request) -> Raw:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Raw(await request.body(), kind)


RawBody = Annotated[Raw, Depends(raw_body)]

D = TypeVar("D", bound=Document)


def body_of(kind: type[D], most: int = MOST_BYTES) -> Callable[[RawBody], D]:
    """A dependency that gives the body as this document. No body at all is an empty mapping."""

    def document(raw: RawBody) -> D:
        content = raw.read("the request", most) if raw.content.strip() else {}
        if not isinstance(content, dict):
            kinds = {list: "a list", str: "a text", NoneType: "empty"}
            found = kinds.get(type(content), "a single value")
            raise Invalid(f"The request is {found}, not a mapping of keys.", f"It takes {', '.join(kind.model_fields)}.")
        return read(kind, content, "the request")

    return document
