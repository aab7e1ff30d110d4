"""Where changes of flags go when that is not to Tidegate's own agents: the `platform` of an environment's file.

Application, environment and configuration profile exist already and belong to whoever made them. Tidegate adds versions
to the profile and deploys them; what else is deployed in the environment is not its business.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from tidegate.core.access import Access, Region, Role
from tidegate.core.document import Document
from tidegate.core.errors import Invalid, quote

_Name = Annotated[str, StringConstraints(pattern=r"^[^/:\x00-\x1f]{1,128}$")]


class AppConfig(Document):
    """AWS AppConfig. Each of the three is a name or an id."""

    application: _Name | None = None
    """Its application; by default it is called as ours."""
    environment: _Name | None = None
    """Its environment; by default it is called as ours."""
    profile: _Name
    """A freeform configuration profile, hosted by AppConfig, for Tidegate alone."""
    region: Region = ""
    """AWS region; by default the one that boto3 finds."""
    role: Role = ""
    """ARN of an IAM role that is assumed for everything that concerns this environment; by default the one that boto3 finds."""


class FlagPlatform(Document):
    appconfig: AppConfig = Field()
    """AWS AppConfig deploys the documents, and rolls them back by itself when one of its monitors fires."""

    def access(self, subject: str) -> Access:
        return Access(self.appconfig.region, self.appconfig.role, subject)


def parse_place(text: str) -> tuple[str, str, str]:
    """Application, environment and configuration profile, as AppConfig calls them. Raises Invalid."""
    parts = text.split("/")
    if len(parts) != 3 or not all(parts):
        raise Invalid(f"{quote(text)} is no place in AppConfig.", "Write APPLICATION/ENVIRONMENT/PROFILE, as shop/prod/flags.")
    return parts[0], parts[1], parts[2]
