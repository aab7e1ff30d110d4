"""What an agent tells the control plane about once a second: what it applies, and how the requests ended that asked it.

Everything counts up since the beginning of the agent's life (`epoch`) and of the rollout, so that a report that is lost is in
the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated

from pydantic import Field, StringConstraints

from tidegate.core.document import Document, read
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.latency import EDGES, Latencies
from tidegate.core.tally import Tally

EVERY = "tidegate-report-every"
"""Header of the answer: the seconds in which the control plane wants the next report, so that many agents are not too many."""
AGE = "tidegate-agent-age"
"""Header of a report: the seconds since the agent began. In the body a control plane of before would refuse all of it."""
LARGEST = 2**53
OLDEST = 1e9
"""Seconds: thirty years."""
Count = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]
Said = Annotated[str, StringConstraints(max_length=200)]


class EndedFile(Document):
    """How requests ended."""

    begun: Count = 0
    finished: Count = 0
    failed: Count = 0
    latency: dict[Annotated[int, Field(ge=0, lt=len(EDGES))], Count] = Field(default_factory=dict)


class SideFile(EndedFile):
    document: Count
    flags: dict[Said, dict[Said, EndedFile]] = Field(default_factory=dict)
    """Those of watched flags, by flag and variant."""


class ReportFile(Document):
    agent: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    version: Said = ""
    epoch: Said
    serial: Count
    origin: Said
    exposure: Exposure = NONE
    rollout: Said = ""
    sides: dict[Annotated[str, StringConstraints(pattern="^(baseline|candidate|other)$")], SideFile] = Field(
        default_factory=dict
    )
    flags: dict[Said, dict[Said, Count]] = Field(default_factory=dict)
    """Evaluations by flag and variant."""
    asked: dict[Said, Count] = Field(default_factory=dict)
    """Requests by flag that they asked for."""


@dataclass(frozen=True, slots=True)
class SideCount:
    """Of one side: which document it was, and how its requests ended."""

    document: int
    tally: Tally = field(default_factory=Tally)
    flags: Mapping[tuple[str, str], Tally] = field(default_factory=dict)
    """Of watched flags, by flag and variant."""


@dataclass(frozen=True, slots=True)
class AgentReport:
    agent: str
    version: str
    epoch: str
    serial: int
    origin: str
    exposure: Exposure
    rollout: str
    sides: Mapping[str, SideCount] = field(default_factory=dict)
    flags: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    asked: Mapping[str, int] = field(default_factory=dict)
    age: timedelta | None = None
    """Since it began, when it said this; None for an agent that does not say."""


def read_age(said: str) -> timedelta | None:
    """Of the header. What is none says nothing, and makes no report a wrong one."""
    try:
        seconds = float(said)
    except ValueError:
        return None
    return timedelta(seconds=round(seconds)) if 0 <= seconds <= OLDEST else None


def read_report(content: object, age: timedelta | None = None) -> AgentReport:
    """Raises Invalid with the place."""
    file = read(ReportFile, content, "the report")
    return AgentReport(
        agent=file.agent,
        version=file.version,
        epoch=file.epoch,
        serial=file.serial,
        origin=file.origin,
        exposure=file.exposure,
        rollout=file.rollout,
        sides={name: _side(side) for name, side in file.sides.items()},
        flags=file.flags,
        asked=file.asked,
        age=age,
    )


def _side(side: SideFile) -> SideCount:
    flags = {(flag, variant): _tally(ended) for flag, variants in side.flags.items() for variant, ended in variants.items()}
    return SideCount(side.document, _tally(side), flags)


def _tally(side: EndedFile) -> Tally:
    return Tally(
        side.begun, side.finished, side.failed, Latencies({bin_: count for bin_, count in side.latency.items() if count})
    )
