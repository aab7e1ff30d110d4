"""What to ask CodeDeploy for next, from what is wanted and what was seen. Pure, and computed anew at every look.

1.  A rollout makes one deployment to go forward. When that ended badly no other one is made.
2.  What brings something else than is wanted is stopped, with rollback; asked for until it is seen to have ended.
3.  Nobody else's deployment, and no rollback of CodeDeploy's own, is touched.
4.  Back again by a deployment of our own only when CodeDeploy does not go back by itself.
5.  Nobody is let in, and no old task goes, before the rollout has come so far.
6.  Without a rollout that asks, nothing is deployed: what a person or CodeDeploy did since is not undone. Nor is what a person
    had deployed since a rollout began: that ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.core.codedeploy import Shape, Shift, shift_of
from tidegate.core.exposure import FULL, NONE
from tidegate.core.rollout import Readiness, Ready
from tidegate.core.setting import Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.drivers.aws import codedeploy_requests as requests
from tidegate.drivers.aws.call import Call
from tidegate.drivers.aws.codedeploy_seen import Deployment, Seen

GOES_BACK = timedelta(minutes=1)
"""How long CodeDeploy may take to begin a rollback of its own; and how long we wait before we try one again."""
AT_ONCE = Shift(Shape.ALL_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Deploy:
    """This version, and a task definition must be found or registered for it first."""

    version: str
    shift: Shift


@dataclass(frozen=True, slots=True)
class Scale:
    count: int


def next_step(setting: Setting, counts: dict[str, int], seen: Seen, now: datetime) -> Call | Deploy | Scale | None:
    """Raises Invalid for a plan that CodeDeploy cannot go."""
    goal, current = _goal(setting), seen.current
    if current is None:
        return _deploy(setting, goal, seen, now) or _scale(setting, counts, seen)
    if current.is_rollback or not current.rollout:
        return None
    if current.version == goal:
        return _go_on(setting, counts, current, seen)
    if current.version == setting.stable and current.is_past_traffic and not seen.has(goal):
        return requests.let_go(current.id) if current.waits_to_end else None
    return requests.stop(current.id)


def _goal(setting: Setting) -> str:
    """Who should have the users in the end, as far as it is known now; "" when nobody."""
    is_back = setting.errand is not None and setting.errand.back
    return setting.stable if is_back or not setting.slot else setting.slot


def _go_on(setting: Setting, counts: dict[str, int], current: Deployment, seen: Seen) -> Call | None:
    """Rule 5."""
    if current.status == "Ready" and (setting.exposure > NONE or setting.stable == current.version):
        return requests.let_in(current.id)
    others = {one.version for one in seen.living} - {current.version}
    if current.waits_to_end and others and "" not in others and not others & counts.keys():
        return requests.let_go(current.id)
    return None


def _deploy(setting: Setting, goal: str, seen: Seen, now: datetime) -> Deploy | None:
    errand = setting.errand
    if errand is None or not goal or not seen.task_sets or seen.share(goal) == FULL or overtaken(setting, seen):
        return None
    last = seen.of(setting.rollout, goal)
    if not errand.back:
        return None if last is not None else Deploy(goal, shift_of(errand.plan))
    ended = [one for one in seen.deployments if one.status in ("Failed", "Stopped")]
    is_late = all(one.ended is not None and now - one.ended > GOES_BACK for one in ended)
    return Deploy(goal, AT_ONCE) if is_late else None


def overtaken(setting: Setting, seen: Seen) -> str:
    """What somebody else had deployed since this rollout began, and serves; "" when nothing. Who wants it now (without guards)
    gets it now."""
    forward = [one for one in seen.deployments if not one.is_rollback and one.status == "Succeeded"]
    errand, last = setting.errand, forward[-1] if forward else None
    if last is None or last.rollout or errand is None or seen.current is not None or seen.has(setting.stable):
        return ""
    ours = seen.of(setting.rollout, setting.slot or setting.stable)
    if ours is None:
        is_since = errand.plan.guarded and last.ended is not None and last.ended >= errand.since
    else:
        is_since = seen.deployments.index(ours) < seen.deployments.index(last)
    return f"{last.id}, which {last.creator or 'somebody'} made in CodeDeploy, stays" if is_since else ""


def _scale(setting: Setting, counts: dict[str, int], seen: Seen) -> Scale | None:
    """One count for all of its tasks."""
    count = counts.get(setting.stable)
    return Scale(count) if count is not None and seen.share(setting.stable) == FULL and seen.desired != count else None


# --- What of it is true -----------------------------------------------------------------------------------------------


def applied(setting: Setting, seen: Seen) -> Applied:
    """The traffic of both versions. Who is in which place only the rollout knows: it is so when the traffic agrees."""
    stable, slot = setting.stable, setting.slot
    if not seen.task_sets:
        return Applied(salt=setting.salt)
    if not _is_turned(setting, seen):
        return Applied(salt=setting.salt)
    if slot not in ("", stable):
        let_in, rest = seen.share(slot), seen.share(stable)
        agrees = let_in is not None and rest is not None and let_in + rest == FULL
        return Applied(let_in, stable if agrees else None, slot, setting.salt)
    if not stable:
        return Applied(NONE, "", slot, setting.salt)
    if seen.share(stable) == FULL:
        return Applied(setting.exposure, stable, slot, setting.salt)
    return Applied(None, None, slot, setting.salt)


def _is_turned(setting: Setting, seen: Seen) -> bool:
    """On the way back nothing is true before the deployment that went forward has ended: it may still let somebody in."""
    current = seen.current
    if setting.errand is None or not setting.errand.back or current is None or current.is_rollback:
        return True
    return not current.rollout or current.version == setting.stable


def readiness(setting: Setting, seen: Seen, version: str) -> Readiness:
    """What was seen before the way back was asked for says nothing of it."""
    is_back = setting.errand is not None and setting.errand.back
    return replace(_readiness(setting, seen, version), forth=not is_back or not _is_turned(setting, seen))


def _readiness(setting: Setting, seen: Seen, version: str) -> Readiness:
    if over := overtaken(setting, seen):
        return Readiness(Ready.NOT_YET, over, back=over, overtaken=over)
    mine = seen.of(setting.rollout, version)
    current = seen.current
    if mine is not None and mine.status in ("Failed", "Stopped"):
        back = f"CodeDeploy {'stopped' if mine.status == 'Stopped' else 'gave up'} {mine.id}"
        return Readiness(Ready.NOT_YET, str(mine), back=f"{back}: {mine.trouble or 'it does not say why'}")
    if current is not None and not current.rollout and not current.is_rollback:
        return Readiness(Ready.NOT_YET, f"waits for {current.id}, which {current.creator} made in CodeDeploy")
    if seen.share(version) == FULL:
        is_done = current is None or (current.version == version and current.is_past_traffic)
        return Readiness(Ready.YES if is_done else Ready.NOT_YET, str(current or ""), busy="" if is_done else str(current))
    if mine is not None and mine.status == "Ready":
        return Readiness(Ready.YES)
    return Readiness(Ready.NOT_YET, str(mine or current or f"CodeDeploy has not begun to bring {version}"))


def health(seen: Seen, version: str, count: int) -> TaskHealth:
    mine = [one for one in seen.living if one.version == version]
    began = [one.began for one in mine if one.began is not None]
    healthy = min(count, sum(one.running for one in mine))
    return TaskHealth(wanted=count, healthy=healthy, youngest=max(began, default=None))


def gone(seen: Seen, version: str) -> bool:
    return bool(seen.task_sets) and all(one.version != version for one in seen.task_sets)
