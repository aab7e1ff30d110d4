"""What AppConfig says of one environment, and what is to be asked of it next. Pure.

Its rules:

1.  One deployment at a time is in an environment. Somebody else's is waited for, and never stopped.
2.  A deployment of ours is of one rollout, which its description names. It is started once: what AppConfig or a person took
    back stays taken back.
3.  On the way back a deployment is stopped whatever it has come to; a completed one is reverted, which no alarm prevents.
    Only when that is not possible any more, what is wanted is deployed again, for everybody at once. Whoever goes to an older
    document step by step goes by steps.
4.  Without a rollout nothing is asked for: what a person did in AppConfig is not undone behind his back. Nor is what he has put
    in force since a rollout began: that ends it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.rollout import Readiness, Ready
from tidegate.core.setting import Applied, Setting
from tidegate.core.strategy import LEADER, shares_of
from tidegate.drivers.aws.appconfig_requests import BY_US

UNDER_WAY = ("VALIDATING", "DEPLOYING", "BAKING", "ROLLING_BACK")
TAKEN_BACK = ("ROLLING_BACK", "ROLLED_BACK", "REVERTED")
REVERTIBLE = timedelta(hours=71)
"""After its completion a deployment can be reverted for 72 hours."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=1)
"""Before a way back that AppConfig took back is deployed again; twice as long each time."""


@dataclass(frozen=True, slots=True)
class Deployment:
    number: int
    version: str
    """The flag document's number; of what is none of ours, what AppConfig calls it."""
    state: str
    ours: bool
    """Of our profile."""
    rollout: str = ""
    exposure: Exposure = NONE
    began: datetime | None = None
    completed: datetime | None = None
    why: str = ""
    """Why it was taken back, as AppConfig says it."""

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def is_taken_back(self) -> bool:
        return self.state in TAKEN_BACK


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. Deployments of the environment, the newest first, back to the last completed one of our profile."""

    deployments: tuple[Deployment, ...]
    at: datetime

    @property
    def newest(self) -> int:
        return self.deployments[0].number if self.deployments else 0

    @property
    def under_way(self) -> Deployment | None:
        return next((one for one in self.deployments if one.is_under_way), None)

    @property
    def complete(self) -> Sequence[Deployment]:
        """Of our profile."""
        return [one for one in self.deployments if one.ours and one.state == "COMPLETE"]

    @property
    def in_force(self) -> str:
        """What everybody has who is not let in by what is under way; "" before the first."""
        return self.complete[0].version if self.complete else ""

    def of(self, rollout: str) -> Deployment | None:
        return next((one for one in self.deployments if one.ours and rollout and one.rollout == rollout), None)


@dataclass(frozen=True, slots=True)
class Stop:
    number: int


@dataclass(frozen=True, slots=True)
class Start:
    """`at_once`: whatever the plan says."""

    version: str
    at_once: bool


def next_act(setting: Setting, seen: Seen) -> Stop | Start | None:
    """What is to be asked for now; None when nothing is."""
    errand = setting.errand
    back = errand is not None and errand.back
    wanted = setting.slot if setting.slot and not back else setting.stable
    under_way = seen.under_way
    if not setting.rollout:
        return None
    if under_way is not None:
        if not (under_way.ours and under_way.rollout):
            return None
        is_right = under_way.rollout == setting.rollout and under_way.version == wanted
        return None if is_right or under_way.state == "ROLLING_BACK" else Stop(under_way.number)
    if wanted in ("", seen.in_force) or overtaken(setting, seen):
        return None
    tried = seen.of(setting.rollout)
    if not back and setting.slot and tried is not None:
        return None
    in_a_hurry = errand is not None and (errand.back or not errand.plan.guarded)
    revert = _back_to(wanted, seen) if in_a_hurry else None
    if revert is None and back and _is_too_soon(setting.rollout, wanted, seen):
        return None
    return revert or Start(wanted, at_once=back or not setting.slot)


def _is_too_soon(rollout: str, wanted: str, seen: Seen) -> bool:
    """Whether what this rollout deployed on its way back was taken back just now, as it is while a monitored alarm fires."""
    tries = [one for one in seen.deployments if (one.rollout, one.version) == (rollout, wanted) and one.is_taken_back]
    last = tries[0].completed or tries[0].began if tries else None
    return last is not None and seen.at - last < min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(len(tries) - 1, 10))


def _back_to(wanted: str, seen: Seen) -> Stop | None:
    """Reverts the last one, if that brings what is wanted."""
    if len(seen.complete) < 2:
        return None
    last, before = seen.complete[:2]
    if before.version != wanted or last.completed is None:
        return None
    is_last = all(one.number <= last.number for one in seen.deployments if one.ours and not one.is_taken_back)
    return Stop(last.number) if is_last and seen.at - last.completed < REVERTIBLE else None


def overtaken(setting: Setting, seen: Seen) -> str:
    """What somebody else put in force since this rollout began; "" when nothing. Who wants it now (without guards) gets it."""
    last = seen.complete[0] if seen.complete else None
    errand, ours = setting.errand, seen.of(setting.rollout)
    if last is None or last.rollout or errand is None or seen.under_way is not None:
        return ""
    if ours is not None:
        is_since = last.number > ours.number
    else:
        is_since = errand.plan.guarded and last.completed is not None and last.completed >= errand.since
    return f"{last.version}, which somebody deployed in {LEADER} (deployment {last.number}), stays" if is_since else ""


def applied(setting: Setting, seen: Seen) -> Applied:
    """In the words of the setting. Who is bucketed there are sessions: the salt is nobody's."""
    under_way, in_force = seen.under_way, seen.in_force
    if under_way is not None and under_way.ours:
        if under_way.version == setting.slot and setting.slot != setting.stable:
            return Applied(under_way.exposure, in_force, setting.slot, setting.salt)
        return Applied(under_way.exposure, in_force, under_way.version, setting.salt)
    if in_force == setting.slot and setting.slot and setting.slot != setting.stable:
        return Applied(FULL, setting.stable, setting.slot, setting.salt)
    return Applied(NONE, in_force, "", setting.salt)


def readiness(setting: Setting, seen: Seen, version: str) -> Readiness:
    if over := overtaken(setting, seen):
        return Readiness(Ready.YES, back=over, overtaken=over)
    found, under_way = seen.of(setting.rollout), seen.under_way
    if found is not None and found.is_taken_back and seen.in_force != version:
        return Readiness(Ready.YES, back=f"{LEADER} took it back: {found.why or found.state}")
    if found is not None and found.is_under_way:
        doing = "watches" if found.state == "BAKING" else "deploys"
        return Readiness(Ready.YES, busy=f"{LEADER} {doing} it (deployment {found.number})")
    if seen.in_force == version:
        return Readiness(Ready.YES)
    if found is not None:
        return Readiness(Ready.YES, back=f"{seen.in_force or 'nothing'} was deployed over it in {LEADER}")
    if under_way is not None:
        return Readiness(Ready.NOT_YET, f"{LEADER} has deployment {under_way.number} under way", busy="it has not begun")
    return Readiness(Ready.NOT_YET, f"{LEADER} has not begun to deploy {version} yet", busy="it has not begun")


# --- Reading ------------------------------------------------------------------------------------------------------------


def read_item(item: Mapping[str, Any], profile: str, version: str, detail: Mapping[str, Any]) -> Deployment:
    """`version` is what its label means; `detail` is what GetDeployment says of it, for those that matter."""
    said = str(detail.get("Description", ""))
    number, state = int(item["DeploymentNumber"]), str(detail.get("State") or item.get("State", ""))
    return Deployment(
        number=number,
        version=version or f"version {item.get('ConfigurationVersion', '?')} of AppConfig",
        state=state,
        ours=_is_of(profile, item, detail),
        rollout=said.removeprefix(BY_US) if said.startswith(BY_US) else "",
        exposure=_exposure({**item, **detail}, state),
        began=item.get("StartedAt"),
        completed=item.get("CompletedAt"),
        why=_why(detail),
    )


def _is_of(profile: str, item: Mapping[str, Any], detail: Mapping[str, Any]) -> bool:
    return str(item.get("ConfigurationProfileId") or detail.get("ConfigurationProfileId", "")) == profile


def _exposure(said: Mapping[str, Any], state: str) -> Exposure:
    """The last share on its way that it has come to: what it counts in between is nobody's."""
    if state in ("BAKING", "COMPLETE"):
        return FULL
    if state not in ("DEPLOYING", "ROLLING_BACK"):
        return NONE
    shares = shares_of(str(said.get("GrowthType", "LINEAR")), float(said.get("GrowthFactor", 100.0)))
    points = round(float(said.get("PercentageComplete", 0.0)) * 100)
    return max((share for share in shares if share <= points), default=NONE)


_ALARM = re.compile(r":alarm:(\S+?)[.,]?(?:\s|$)")


def _why(detail: Mapping[str, Any]) -> str:
    for event in detail.get("EventLog", ()):
        if event.get("EventType") not in ("ROLLBACK_STARTED", "REVERT_COMPLETED"):
            continue
        said, by = str(event.get("Description", "")), str(event.get("TriggeredBy", ""))
        if by == "CLOUDWATCH_ALARM":
            found = _ALARM.search(said)
            return f"the CloudWatch alarm {found[1]}, which it monitors, fired" if found else said
        return "somebody stopped it there" if by == "USER" else said or by
    return ""
