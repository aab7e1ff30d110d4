"""Arguments in paths and queries, each with its bounds: nothing else reaches the engine."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
SUBJECT = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?(/[a-z]([a-z0-9-]{0,38}[a-z0-9])?)?$"
ENVIRONMENT = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?/[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
VERSION = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$"
ID = r"^[a-z0-9][A-Za-z0-9._+-]{0,120}$"
LARGEST_ID = 2**62

ServiceName = Annotated[str, Path(pattern=NAME, description="Name of a service.")]
RolloutId = Annotated[str, Path(pattern=ID, description="Id of a rollout, as web-3.")]
ReleaseId = Annotated[str, Path(pattern=ID, description="Id of a release, as checkout-3.")]
MetricName = Annotated[str, Path(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:.-]{0,126}$", description="Name of a metric.")]

ApplicationName = Annotated[str, Path(pattern=NAME, description="Name of an application.")]
EnvironmentName = Annotated[str, Path(pattern=NAME, description="Name of an environment.")]
DocumentNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of a flag document.")]
OtherNumber = Annotated[int, Query(ge=1, le=2**31 - 1, description="Number of the flag document to compare with.")]
FlagName = Annotated[str, Path(min_length=1, max_length=200, description="Name of a flag or segment.")]
EvaluatedFlag = Annotated[str, Path(min_length=1, max_length=2000, description="Name of a flag.")]
InFormat = Annotated[str, Query(max_length=20, description="tidegate or appconfig.")]

OfService = Annotated[str | None, Query(pattern=SUBJECT, description="Only of this service, or environment as shop/prod.")]
OfRollout = Annotated[str | None, Query(pattern=ID, description="Only of this rollout.")]
OfVersion = Annotated[str | None, Query(pattern=VERSION, description="Only of this version.")]
OfTask = Annotated[str | None, Query(pattern=ID, description="Only of this task.")]
After = Annotated[int, Query(ge=0, le=LARGEST_ID, description="Events with a larger id.")]
Before = Annotated[int, Query(ge=1, le=LARGEST_ID, description="Events with a smaller id.")]
OfPerson = Annotated[str | None, Query(min_length=1, max_length=200, description="Only what this person did, as ann.")]
OfPeople = Annotated[bool, Query(description="Only what people did.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]
