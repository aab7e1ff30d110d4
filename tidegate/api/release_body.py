"""What a release is made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from tidegate.api.body import Reason
from tidegate.api.flag_body import Format, Number
from tidegate.core.document import Document
from tidegate.core.plan import PlanFile
from tidegate.core.service import Name, Service, VersionName

MOST_PARTS = 20


class ServicePartBody(Document):
    file: Service
    """The service file. Its own plan does not count here."""
    version: VersionName


class FlagsPartBody(Document):
    environment: Name
    content: Any
    format: Format = "tidegate"
    application: Name | None = None
    """Whose flags these are, where the format does not say so itself."""
    base: Number | None = None
    """The document that this was made from; refused when another one is in force by now."""


class ReleaseBody(Document):
    release: Name
    """Its name; the release itself gets a number as well: checkout-3."""
    plan: PlanFile = Field(default_factory=PlanFile.default)
    """One for all parts; a sentence as `linear 10% every 1m` will do."""
    services: Annotated[tuple[ServicePartBody, ...], Field(max_length=MOST_PARTS)] = ()
    flags: Annotated[tuple[FlagsPartBody, ...], Field(max_length=MOST_PARTS)] = ()
    reason: Reason = ""

    @model_validator(mode="after")
    def _has_parts(self) -> ReleaseBody:
        if not self.services and not self.flags:
            raise ValueError(f"the release {self.release} has no parts.\nName services, flags, or both.")
        names = [part.file.service for part in self.services]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} is twice in the release {self.release}.\nA service goes to one version.")
        return self
