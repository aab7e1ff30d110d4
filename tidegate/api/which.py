"""Which environment a route is about, out of its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from tidegate.api.arguments import ApplicationName, EnvironmentName
from tidegate.core.environment import subject_of

PATH = "/applications/{application}/environments/{environment}"


@dataclass(frozen=True, slots=True)
class Which:
    application: str
    environment: str

    @property
    def subject(self) -> str:
        return subject_of(self.application, self.environment)


def _which(application: ApplicationName, environment: EnvironmentName) -> Which:
    return Which(application, environment)


OneEnvironment = Annotated[Which, Depends(_which)]
