"""The JSON Schema of the release file, for editors. Its parts are files beside it, or their content."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tidegate.core.document import Document
from tidegate.core.plan import PlanFile
from tidegate.core.service import Name, Service, VersionName


class VersionPart(Document):
    file: str | Service
    """A service file beside this one, or its content. Its own plan does not count here."""
    version: VersionName | None = None
    """Without it: one made of the file's content."""


class FlagsPart(Document):
    environment: Name
    file: str | None = None
    """A flag document beside this one."""
    content: Any = None
    """The document itself, instead of a file."""
    format: Literal["tidegate", "appconfig", "flagd"] = "tidegate"
    application: Name | None = None
    """Whose flags these are, where the format does not say so itself."""
    base: Annotated[int, Field(ge=0)] | None = None
    """The document that it was made from; refused when another one is in force by now."""


class ReleaseFile(Document):
    release: Name
    """Its name; each release gets a number as well: checkout-3."""
    plan: PlanFile | str = "linear 10% every 1m"
    """One for all parts."""
    services: tuple[VersionPart, ...] = ()
    flags: tuple[FlagsPart, ...] = ()
    reason: str = ""


def release_schema() -> dict[str, Any]:
    schema = ReleaseFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Tidegate release file"}
