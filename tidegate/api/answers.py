"""Shapes of answers that are no view of the engine, for the API's description. A test holds them to what is answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from typing_extensions import TypedDict

from tidegate.core.verdict import GuardSeen
from tidegate.engine.view import RolloutView


class Said(TypedDict):
    sentence: str


class Problem(TypedDict, total=False):
    """RFC 9457: `detail` says what happened, with its values, `mend` what to do, `where` the place in a document."""

    type: str
    title: str
    status: int
    detail: str
    mend: str
    where: str


class Deployment(TypedDict):
    """`rollout` is null when that version already runs; `new` is false for a rollout that was found in flight."""

    rollout: RolloutView | None
    new: bool
    sentence: str


class ReleaseBegun(TypedDict):
    """`release` is "" when everything is there already; `rollouts` are its parts, `sentences` say what became of each."""

    release: str
    rollouts: list[RolloutView]
    sentences: list[str]


class FlagsSaid(TypedDict):
    """A flag document, in the format that was asked for."""

    application: str
    number: int
    content: dict[str, Any]


class FlagChange(TypedDict):
    """`kind`: added, removed, changed, or carried (resting on something that changed)."""

    kind: str
    thing: str
    name: str
    sentences: list[str]


class FlagsChecked(TypedDict):
    """What a document holds, and changes from the document `base`; 0: there is none."""

    application: str
    flags: int
    segments: int
    changes: list[FlagChange]
    base: int


class FlagsStale(TypedDict):
    flag: str
    owner: str
    since: str
    why: str


class FlagResult(TypedDict):
    flag: str
    value: Any
    variant: str | None
    enabled: bool
    reason: str
    document: int
    side: str
    rule: str | None
    error: str
    message: str


class FlagsEvaluated(TypedDict):
    """`sentence` and `steps` say why, where one flag was asked for."""

    results: list[FlagResult]
    sentence: str
    steps: list[str]


class OfrepAnswer(TypedDict, total=False):
    """As OFREP has it. Without `value` the caller's default counts."""

    key: str
    value: Any
    reason: str
    variant: str
    metadata: dict[str, Any]
    errorCode: str
    errorDetails: str


class OfrepAnswers(TypedDict):
    flags: list[OfrepAnswer]
    metadata: dict[str, Any]
    eventStreams: list[dict[str, Any]]


class Happening(TypedDict):
    """One event. `facts` hold the figures that it was decided with."""

    id: int
    at: datetime
    kind: str
    service: str
    rollout: str
    actor: str
    why: str
    facts: dict[str, Any]


class Explained(TypedDict):
    rollout: RolloutView
    events: list[Happening]


class ServiceAlarms(TypedDict):
    service: str
    alarms: list[GuardSeen]


class Taken(TypedDict):
    taken: int


class Line(TypedDict):
    task: str
    text: str


class HealthSeen(TypedDict):
    status: str
    ready: bool
    version: str
    tick_age: timedelta | None
    started: datetime
    problems: list[str]


class LoginCode(TypedDict):
    """With it a browser signs in as `user`, once, until then."""

    code: str
    user: str
    until: datetime


class Session(TypedDict):
    """Sent as `Authorization: Bearer KEY`."""

    key: str
    user: str
    until: datetime


class Harm(TypedDict):
    """Who was harmed. Rates are shares of 1. `slow`: about how many requests were slower than they would have been on the
    baseline; `most`: the largest share of the users that was exposed."""

    requests: int
    finished: int
    failed: int
    rescued: int
    seen: int
    slow: int
    rate: float | None
    baseline_finished: int
    baseline_failed: int
    baseline_rate: float | None
    most: str
    first: datetime | None
    last: datetime | None
    time_to_detect: timedelta | None
    time_to_act: timedelta | None
