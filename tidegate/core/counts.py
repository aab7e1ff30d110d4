"""From the router's growing counts to what happened between two looks, and whose it was.

The router counts by slot and version. The candidate's are those of its version in its slot; the baseline's are those of the
stable slot only, for what was rescued in the candidate's slot belongs to neither side's rate; the service's are all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tidegate.core.alarm import Of
from tidegate.core.tally import NOTHING, Tally

STABLE = "stable"
CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class Counted:
    slot: str  # stable | candidate
    version: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class OfFlag:
    """What was counted of the requests that asked for this flag and got this variant."""

    flag: str
    variant: str
    counted: Counted


@dataclass(frozen=True, slots=True)
class Counts:
    """What the router had counted of one service when it was looked at. It grows while the epoch stays the same."""

    epoch: str
    at: datetime
    counted: tuple[Counted, ...] = ()
    flags: tuple[OfFlag, ...] = ()


def counts(
    epoch: str,
    at: datetime,
    tallies: Mapping[tuple[str, str], Tally],
    flags: Mapping[tuple[str, str, str, str], Tally] | None = None,
) -> Counts:
    """The counts of a reading, by slot and version; those of flags by flag, variant, slot and version."""
    of_flags = (
        OfFlag(flag, variant, Counted(slot, version, tally)) for (flag, variant, slot, version), tally in (flags or {}).items()
    )
    return Counts(
        epoch, at, tuple(Counted(slot, version, tally) for (slot, version), tally in tallies.items()), tuple(of_flags)
    )


def grown(earlier: Counts | None, later: Counts) -> tuple[Counted, ...]:
    """What was counted between two looks.

    A router with a new epoch has counted from zero since, so all that it shows is new. Of a first look nobody knows how
    long it had been counting: it begins the series and adds nothing to it.
    """
    if earlier is None:
        return ()
    if earlier.epoch != later.epoch:
        return later.counted
    before = {(counted.slot, counted.version): counted.tally for counted in earlier.counted}
    return tuple(
        Counted(new.slot, new.version, new.tally.minus(before.get((new.slot, new.version), NOTHING))) for new in later.counted
    )


def grown_flags(earlier: Counts | None, later: Counts) -> tuple[OfFlag, ...]:
    """The same for flags."""
    if earlier is None:
        return ()
    if earlier.epoch != later.epoch:
        return later.flags
    before = {(one.flag, one.variant, one.counted.slot, one.counted.version): one.counted.tally for one in earlier.flags}
    fresh = []
    for new in later.flags:
        counted = new.counted
        tally = counted.tally.minus(before.get((new.flag, new.variant, counted.slot, counted.version), NOTHING))
        fresh.append(OfFlag(new.flag, new.variant, Counted(counted.slot, counted.version, tally)))
    return tuple(fresh)


def tally_of(side: Of, counted: Iterable[Counted], *, candidate: str, baseline: str) -> Tally:
    """Adds up what is this side's. `candidate` and `baseline` are their versions, "" when there is none."""
    tally = NOTHING
    for one in counted:
        match side:
            case Of.CANDIDATE:
                counts_here = bool(candidate) and (one.slot, one.version) == (CANDIDATE, candidate)
            case Of.BASELINE:
                counts_here = bool(baseline) and (one.slot, one.version) == (STABLE, baseline)
            case _:
                counts_here = True
        tally = tally.plus(one.tally) if counts_here else tally
    return tally
