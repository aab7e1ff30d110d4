"""The rules of a release: several rollouts with one plan and one salt that go forward, and back, together.

1.  No part leaves its place before all are ready to: prepared, or watched long enough with a good verdict.
2.  Versions go first, flags follow when those are *seen* there. So nobody meets a feature on a version that does not know it,
    and in every place a user who is exposed to one part is exposed to all: one salt, one exposure.
3.  All complete at the same look. When one goes back all go back, at the same look, and nobody waits for anybody: levers of
    flags are pulled before those of traffic.
4.  Under a plan that goes by evidence all parts get the exposure that the most careful one of them allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tidegate.core.decide import Action, decide
from tidegate.core.errors import Refused
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.intervention import promote
from tidegate.core.plan import Plan
from tidegate.core.rollout import ALONE, Phase, Rollout, Seen, Together

Turn = tuple[Rollout, tuple[Action, ...]]


def as_part(rollout: Rollout, *, release: str, salt: str, follows: bool, asks: bool) -> Rollout:
    """This rollout as a part. Hooks and gates of the plan are those of the release: only the part that `asks` has them."""
    plan = rollout.plan if asks else _without_questions(rollout.plan)
    return replace(rollout, release=release, salt=salt, follows=follows, plan=plan)


def _without_questions(plan: Plan) -> Plan:
    return replace(plan, steps=tuple(replace(step, hook=None, gate="") for step in plan.steps))


def decide_parts(parts: Sequence[Rollout], seen: Mapping[str, Seen], now: datetime) -> dict[str, Turn]:
    """One turn of all parts of a release, by id; of each as `decide` has it. `seen` lacks those whose lever another rollout
    still has: they wait, and go back with the others."""
    allowed = {id_: one.allowed for id_, one in seen.items()}
    found: dict[str, Turn] = {}
    for part in parts:
        if part.id in seen:
            means = replace(seen[part.id], together=together(part, parts), allowed=allowed_together(part, parts, allowed))
            found[part.id] = decide(part, means, now)
    return found | _end_together(parts, seen, found, now)


def _end_together(
    parts: Sequence[Rollout], seen: Mapping[str, Seen], found: Mapping[str, Turn], now: datetime
) -> dict[str, Turn]:
    """Decides again for those that would be left behind, or go alone."""
    going = [part for part in parts if part.in_flight]
    after = {part.id: found[part.id][0] if part.id in found else part for part in going}
    back = next((one for one in after.values() if one.goes_back), None)
    late = next((one for one in after.values() if one.in_flight), None)
    again = {}
    for part in going:
        if back is not None and not after[part.id].goes_back:
            means = Together(back=why_with(back))
        elif late is not None and after[part.id].phase is Phase.COMPLETED:
            means = Together(waits=waits_for(late))
        else:
            continue
        again[part.id] = decide(part, replace(seen.get(part.id, Seen()), together=means), now)
    return again


def together(rollout: Rollout, parts: Iterable[Rollout]) -> Together:
    """What the other parts, as they are now, mean for this one."""
    others = [part for part in parts if part.id != rollout.id]
    if not others or not rollout.in_flight:
        return ALONE
    if back := next((part for part in others if part.goes_back), None):
        return Together(back=why_with(back))
    reached = _reached(rollout, others)
    if reached is not None:
        return Together(waits=f"{_names(_leaders(others))} {_is(_leaders(others))} there", reached=reached)
    return Together(waits=_waits(rollout, others))


def why_with(part: Rollout) -> str:
    """Why the others go back with this one. The first reason is handed on as it is."""
    return part.reason if part.reason.startswith("together with ") else f"together with {part.subject}: {part.reason}"


def waits_for(*parts: Rollout) -> str:
    return f"ready, and waits for {_names(parts)}"


def _reached(rollout: Rollout, others: Sequence[Rollout]) -> int | None:
    """The step to which it follows the others now: where all of them were seen."""
    leaders = _leaders(others)
    if not rollout.follows or not leaders or any(part.phase is Phase.SHIFTING for part in leaders):
        return None
    reached = min(*(part.place for part in leaders), len(rollout.plan.steps) - 1)
    return reached if reached > rollout.place else None


def _waits(rollout: Rollout, others: Sequence[Rollout]) -> str:
    late = [part for part in others if part.place < rollout.place or (part.place == rollout.place and not part.ready)]
    if late:
        return waits_for(*late)
    leaders = _leaders(others)
    if rollout.follows and leaders and not rollout.first and rollout.place + 1 < len(rollout.plan.steps):
        return f"ready, and follows {_names(leaders)}"
    return ""


def allowed_together(rollout: Rollout, parts: Sequence[Rollout], allowed: Mapping[str, Exposure]) -> Exposure:
    """What the evidence of all parts allows this one to let in now; `allowed` says by id what each one's own allows."""
    others = [part for part in parts if part.id != rollout.id and part.in_flight]
    leaders = _leaders(others)
    if rollout.follows and leaders:
        return min(part.allowed if part.phase is not Phase.SHIFTING else rollout.allowed for part in leaders)
    in_step = all(part.phase in (Phase.PREPARING, Phase.WATCHING) and part.wanted == rollout.wanted for part in others)
    if not in_step:
        return rollout.allowed
    return min(allowed.get(part.id, NONE) for part in (rollout, *others))


def _leaders(parts: Iterable[Rollout]) -> list[Rollout]:
    return [part for part in parts if not part.follows]


def _names(parts: Iterable[Rollout]) -> str:
    return " and ".join(part.subject for part in parts)


def _is(parts: Sequence[Rollout]) -> str:
    return "is" if len(parts) == 1 else "are"


def promote_together(parts: Sequence[Rollout], by: str, now: datetime, *, full: bool = False) -> list[Rollout]:
    """All parts of a release in flight, or the one rollout that is alone, promoted by a person. Those that follow do so by
    themselves; from the last step all complete together."""
    leaders = _leaders(parts) or list(parts)
    last, goal = len(parts[0].plan.steps) - 1, max(part.place for part in leaders)
    behind = [part for part in parts if part.place < goal]
    if behind and not (full and goal < last):
        raise Refused(
            f"{_names(behind)} {_is(behind)} not at step {goal + 1} of {last + 1} yet, where the release is.",
            f"Promote it again when that is applied: tidegate watch {behind[0].subject}.",
        )
    called = parts if goal == last else leaders
    return [promote(part, by, now, full=full) if part in called else replace(part, paused=False) for part in parts]
