"""What to ask AWS for next, from what is wanted and what was seen. Pure, and computed anew at every look: whoever starts
after a crash goes on from what AWS says.

1.  Weights come before tasks: a way back waits for nothing.
2.  The rule's tags say what is meant before its weights are changed; the weights are the commit point, and are read back.
3.  A side that has weight, or lost it less than `sticky` ago, or still answers somebody, is not given another version and not
    ended: ALB's cookie outranks the weights, and whoever is pinned there is served there.
4.  A side without healthy tasks gets all users only when the other has none either, or on a way back.
5.  A task definition that bears the version's name and digest is used, never registered again.
6.  A version that ECS put back before it was whole (its circuit breaker) is not asked for again in the same rollout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.platform import Ecs
from tidegate.core.rollout import Readiness, Ready
from tidegate.core.setting import UNSEEN, Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.drivers.aws import alb_requests as requests
from tidegate.drivers.aws import alb_seen
from tidegate.drivers.aws.alb_seen import Seen, Side, share, weights_of
from tidegate.drivers.aws.call import Call, Manner

MARGIN = timedelta(seconds=10)
"""ALB takes a new weight over within seconds, not at once."""
UNCOUNTED = timedelta(minutes=10)
"""How much longer a side stays when nobody can say whether it still answers somebody."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the loop asked for. `counts`: how many tasks of each version that must be ready."""

    ecs: Ecs
    setting: Setting
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Install:
    """This version belongs on this side, and a task definition must be found or registered for it first."""

    version: str
    side: Side


def next_weights(wanted: Wanted, seen: Seen, now: datetime) -> list[Call]:
    """The calls that make the rule right; none when it is."""
    ecs, setting = wanted.ecs, wanted.setting
    tags = tags_of(setting)
    stable = seen.of(setting.stable)
    if stable is None or not seen.is_ours or _waits(setting, stable, seen):
        return _tagged(ecs, tags, seen)
    candidate = seen.of(setting.slot) if setting.slot != setting.stable else None
    exposure = setting.exposure if candidate is not None else NONE
    to_stable, to_other = weights_of(exposure)
    weights = {stable.target_group: to_stable, seen.other(stable).target_group: to_other}
    sticky = round(ecs.sticky.total_seconds()) if NONE < exposure < FULL else None
    as_seen = share(seen.other(stable).weight, stable.weight)
    if as_seen == exposure and seen.sticky == sticky:
        return _tagged(ecs, tags, seen)
    is_back = as_seen is None or exposure < as_seen
    manner = Manner.PATIENT if is_back else Manner.USUAL
    moved = {**tags, alb_seen.MOVED: now.isoformat(timespec="seconds")}
    return [requests.tag(ecs, moved, manner), requests.weigh(ecs, seen.actions, weights, exposure, manner)]


def _waits(setting: Setting, stable: Side, seen: Seen) -> bool:
    """Rule 4."""
    other = seen.other(stable)
    is_whole = setting.slot in ("", setting.stable)
    return is_whole and stable.healthy == 0 and other.weight > 0 and other.healthy > 0


def tags_of(setting: Setting) -> dict[str, str]:
    return {
        alb_seen.STABLE: setting.stable,
        alb_seen.SLOT: setting.slot,
        alb_seen.SALT: setting.salt,
        alb_seen.EXPOSURE: str(int(setting.exposure)),
        alb_seen.OPERATION: setting.rollout,
    }


def _tagged(ecs: Ecs, tags: dict[str, str], seen: Seen) -> list[Call]:
    """Who asks for it says nothing about what is applied: a tag that differs in that alone is let be."""
    differs = any(seen.tags.get(key) != value for key, value in tags.items() if key != alb_seen.OPERATION)
    return [requests.tag(ecs, tags)] if differs else []


def next_tasks(wanted: Wanted, seen: Seen, now: datetime) -> Iterator[Call | Install]:
    """What makes the tasks right."""
    ecs, setting = wanted.ecs, wanted.setting
    in_place = {version for version in (setting.stable, setting.slot) if version}
    for version, count in wanted.counts.items():
        side = seen.of(version)
        if side is not None:
            if side.desired != count:
                yield requests.scale(ecs, side, count)
        elif version in in_place and version not in seen.given_up:
            place = _place(in_place, ecs, seen, now)
            if place is not None:
                yield Install(version, place)
    for side in seen.sides:
        is_needed = side.version in wanted.counts or not wanted.counts
        if not is_needed and side.desired and _is_free(side, ecs, seen, now) and seen.of(setting.stable) is not None:
            yield requests.scale(ecs, side, 0)


def _place(in_place: set[str], ecs: Ecs, seen: Seen, now: datetime) -> Side | None:
    """A side for a new version: one that serves nobody; None while there is none."""
    taken = [seen.of(version) for version in in_place]
    sides = [side for side in seen.sides if side not in taken and _is_free(side, ecs, seen, now)]
    return min(sides, key=lambda side: not side.is_empty, default=None)


def _is_free(side: Side, ecs: Ecs, seen: Seen, now: datetime) -> bool:
    """Rule 3. Where nobody ever was, nobody is pinned."""
    if side.weight and not (side.is_empty and side.healthy == 0):
        return False
    if side.is_empty or seen.moved is None:
        return True
    over = seen.moved + ecs.sticky
    if ecs.counted_by is None:
        return now - over >= MARGIN
    if seen.quiet is None:
        return now - over >= max(MARGIN, UNCOUNTED)
    return now - over >= MARGIN and seen.quiet.since(side.version, over)


# --- What of it is true -----------------------------------------------------------------------------------------------


def applied(seen: Seen) -> Applied:
    """What the rule shows: its tags where they agree with the tasks, and its weights."""
    tags = seen.tags
    if alb_seen.STABLE not in tags or not seen.is_ours:
        return UNSEEN
    stable, slot, salt = tags[alb_seen.STABLE], tags.get(alb_seen.SLOT, ""), tags.get(alb_seen.SALT)
    side, slot_seen = seen.of(stable), _seen_as(seen, slot)
    if side is None:  # nobody serves as a first version yet, or somebody else gave the stable side other tasks
        return Applied(None if stable else NONE, None if stable else "", slot_seen, salt)
    let_in = share(seen.other(side).weight, side.weight)
    if slot not in ("", stable):
        return Applied(let_in, stable, slot_seen, salt)
    if let_in == NONE:  # the winner has everybody; how far handing over has come is in the tags alone
        return Applied(_meant(tags), stable, slot_seen, salt)
    return Applied(let_in, None, slot_seen, salt)


def _meant(tags: Mapping[str, str]) -> Exposure | None:
    text = tags.get(alb_seen.EXPOSURE, "")
    return Exposure(int(text)) if text.isdigit() else None


def _seen_as(seen: Seen, version: str) -> str | None:
    return version if not version or seen.of(version) is not None else None


def readiness(ecs: Ecs, seen: Seen | None, version: str, count: int, now: datetime) -> Readiness:
    if seen is None:
        return Readiness(Ready.UNSEEN)
    side = seen.of(version)
    if version in seen.given_up:
        return Readiness(Ready.FAILED, seen.given_up[version])
    if side is None:
        return Readiness(Ready.NOT_YET, f"no ECS service runs {version} yet")
    if side.state != "COMPLETED" or side.deployments != 1 or side.running < count or side.healthy < count:
        why = f"{side.service}: {side.running} of {count} tasks run, {side.healthy} are healthy"
        late = side.began is not None and now - side.began > ecs.start_within
        return Readiness(Ready.FAILED if late else Ready.NOT_YET, why)
    return Readiness(Ready.YES)


def health(seen: Seen | None, version: str, count: int) -> TaskHealth | None:
    side = seen.of(version) if seen is not None else None
    if seen is None:
        return None
    if side is None:
        return TaskHealth(wanted=count, healthy=0)
    why = f"{side.service}: {side.unhealthy_why}" if side.unhealthy else ""
    return TaskHealth(wanted=count, healthy=side.healthy, hurt=side.unhealthy, why=why, youngest=side.began)


def gone(seen: Seen | None, version: str) -> bool:
    """Whether none of its tasks is left."""
    return seen is not None and all(side.is_empty for side in seen.sides if side.version == version)
