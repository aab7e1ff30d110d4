"""The pilot of a service that AWS CodeDeploy releases on ECS: it has deployments made, follows them, and has them turned back.

CodeDeploy moves the weights, and goes back by its own alarms also when nobody of us is there. The pilot keeps nothing that
it could not see again: a deployment of ours is known by its description. `codedeploy_next.py` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.core.codedeploy import MINUTE, CodeDeploy, Shift, shift_of
from tidegate.core.duration import say_duration
from tidegate.core.errors import Conflict, Invalid, NotFound, Refused
from tidegate.core.rollout import Readiness
from tidegate.core.service import Service
from tidegate.core.setting import Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.drivers.aws import codedeploy_next, codedeploy_seen
from tidegate.drivers.aws import codedeploy_requests as requests
from tidegate.drivers.aws.call import Answer, Call, Caller
from tidegate.drivers.aws.codedeploy_next import Deploy, Scale
from tidegate.drivers.aws.codedeploy_seen import Deployment, Seen
from tidegate.drivers.aws.lever import MOST_TURNS, Order
from tidegate.drivers.aws.revisions import Revisions
from tidegate.ports import RouterReading

EARLIER = timedelta(minutes=5)
"""By so much AWS's clock may be behind ours."""
AGAIN = timedelta(seconds=15)
"""What was asked for and is not seen to work is asked for again after this."""


@dataclass(frozen=True, slots=True)
class CodeDeployGlance:
    """Implements lever.Glance: what was seen, for who asks for this."""

    setting: Setting
    seen: Seen

    @property
    def at(self) -> datetime | None:
        return self.seen.at

    def applied(self) -> Applied:
        return codedeploy_next.applied(self.setting, self.seen)

    def readiness(self, version: str, count: int, now: datetime) -> Readiness:  # noqa: ARG002 - it is CodeDeploy that waits
        return codedeploy_next.readiness(self.setting, self.seen, version)

    def health(self, version: str, count: int) -> TaskHealth | None:
        return codedeploy_next.health(self.seen, version, count)

    def gone(self, version: str) -> bool:
        return codedeploy_next.gone(self.seen, version)

    def dimensions(self, version: str) -> Mapping[str, str]:  # noqa: ARG002 - which group is whose CodeDeploy changes
        return {}


@dataclass(frozen=True, slots=True)
class Group:
    """A deployment group, as far as it matters: its ECS service, whether it asks before users come, how long old tasks stay."""

    cluster: str
    service: str
    asks: bool = False
    keeps: timedelta = timedelta(0)
    alarms: tuple[str, ...] = ()

    def __str__(self) -> str:
        by = f"it goes back by {', '.join(self.alarms)}" if self.alarms else "no alarms turn it back"
        return f"for {self.cluster}/{self.service}; old tasks stay {say_duration(self.keeps)}; {by}"


class CodeDeployPilot:
    """Implements lever.Pilot. `callers` gives the caller of a region."""

    def __init__(self, place: CodeDeploy, callers: Callable[[str], Caller], clock: Callable[[], datetime]) -> None:
        self.place = place
        self._callers = callers
        self._clock = clock
        self._revisions = Revisions(lambda: self.caller)
        self._group: Group | None = None
        self._asked: dict[str, datetime] = {}
        self._glance: CodeDeployGlance | None = None
        self.order: Order | None = None

    @property
    def caller(self) -> Caller:
        """Raises Refused when boto3 is not there."""
        return self._callers(self.place.region)

    def glance(self) -> CodeDeployGlance | None:
        return self._glance

    def turn(self) -> bool:
        for _ in range(MOST_TURNS):
            order = self.order
            if order is None:
                return False
            seen = self.look(order.setting)
            self._glance = CodeDeployGlance(order.setting, seen)
            if not order.is_fresh(self._clock()) or not self._steer(order, seen):
                # A deployment takes minutes, and each look some six calls: only a way back is looked at every second.
                errand = order.setting.errand
                return errand is not None and errand.back and seen.current is not None
        return True

    # --- looking ------------------------------------------------------------------------------------------------------

    def look(self, setting: Setting) -> Seen:
        group = self._group = self._group or self.group()
        service, sets = codedeploy_seen.read_service(self.caller.do(requests.service(group.cluster, group.service)))
        for one in sets:
            self._revisions.of(one["taskDefinition"])
        seen = Seen(
            codedeploy_seen.task_sets(sets, self._revisions.known),
            tuple(self._deployments(setting)),
            service.get("desiredCount", 0),
            self._clock(),
        )
        return self._with_targets(seen)

    def _deployments(self, setting: Setting) -> list[Deployment]:
        """All that are in flight, and those since the rollout began."""
        ids = list(self.caller.do(requests.running(self.place)).get("deployments", ()))
        if setting.errand is not None:
            since = requests.since(self.place, setting.errand.since - EARLIER)
            ids += [one for one in self.caller.do(since).get("deployments", ()) if one not in ids]
        return codedeploy_seen.read_deployments(self.caller.do(requests.deployments(ids))) if ids else []

    def _with_targets(self, seen: Seen) -> Seen:
        """Of the one that moves the traffic, or moved it last."""
        forward = [one for one in seen.deployments if not one.is_rollback and one.status not in ("Created", "Queued")]
        if not forward or (not forward[-1].in_flight and len(seen.living) < 2):
            return seen
        last = forward[-1]
        try:
            ids = self.caller.do(requests.targets(last.id)).get("targetIds", ())
            answer: Answer = self.caller.do(requests.describe_targets(last.id, ids)) if ids else {}
        except Refused as refused:
            if "DeploymentNotStarted" not in refused.what:
                raise
            return seen
        known = codedeploy_seen.with_target(last, answer)
        return replace(seen, deployments=tuple(known if one is last else one for one in seen.deployments))

    def group(self) -> Group:
        """Raises NotFound or Invalid when there is none that could be used."""
        told = self.caller.do(requests.group(self.place)).get("deploymentGroupInfo", {})
        services = told.get("ecsServices", ())
        if len(services) != 1:
            raise Invalid(
                f"The deployment group {self.place.deployment_group} is for {len(services)} ECS services.",
                "Name one whose compute platform is ECS.",
                "platform.codedeploy.deployment_group",
            )
        options = told.get("blueGreenDeploymentConfiguration") or {}
        asks = (options.get("deploymentReadyOption") or {}).get("actionOnTimeout") == "STOP_DEPLOYMENT"
        keeps = (options.get("terminateBlueInstancesOnDeploymentSuccess") or {}).get("terminationWaitTimeInMinutes", 0)
        alarms = tuple(one["name"] for one in (told.get("alarmConfiguration") or {}).get("alarms", ()))
        return Group(services[0]["clusterName"], services[0]["serviceName"], asks, keeps * MINUTE, alarms)

    def arn(self, group: Group) -> str:
        """Of its ECS service; "" when there is none."""
        service, _ = codedeploy_seen.read_service(self.caller.do(requests.service(group.cluster, group.service)))
        return str(service.get("serviceArn", ""))

    # --- asking -------------------------------------------------------------------------------------------------------

    def _steer(self, order: Order, seen: Seen) -> bool:
        """Asks for the next thing; False when there is none."""
        match codedeploy_next.next_step(order.setting, order.counts, seen, self._clock()):
            case Deploy(version, shift):
                self._deploy(order, version, shift)
            case Scale(count) if self._group is not None:
                self.caller.do(requests.scale(self._group.cluster, self._group.service, count))
            case Call() as call:
                return self._ask(call)
            case _:
                return False
        return True

    def _ask(self, call: Call) -> bool:
        """Once, and again only when nothing comes of it."""
        key = f"{call} {call.parameters}"
        now, last = self._clock(), self._asked.get(key)
        if last is not None and now - last < AGAIN:
            return False
        with _despite("DeploymentAlreadyCompleted", "DeploymentIsNotInReadyState"):  # it went on by itself: seen next time
            self.caller.do(call)
        self._asked = {key: now}
        return True

    def _deploy(self, order: Order, version: str, shift: Shift) -> None:
        arn = self._revisions.arn_for(order.files[version], version, order.setting.rollout)
        self._must_have(shift)
        described = requests.describe(order.setting.rollout, version)
        try:
            self.caller.do(requests.create(self.place, arn, shift, described))
        except Refused as refused:
            if "DeploymentLimitExceeded" not in refused.what:
                raise
            self._must_be_free(lambda one: one.description == described, refused)

    def _must_have(self, shift: Shift) -> None:
        """The configuration of this name: Amazon's are there, ours are made once."""
        if shift.is_amazons:
            return
        try:
            found = self.caller.do(requests.configuration(shift))["deploymentConfigInfo"].get("trafficRoutingConfig")
        except NotFound:
            with _despite("DeploymentConfigAlreadyExists"):  # the answer was lost
                self.caller.do(requests.make_configuration(shift))
            return
        if found != requests.routing(shift):
            raise Refused(f"The deployment configuration {shift.name} is another one than its name says.", "Delete it.")

    def _must_be_free(self, is_ours: Callable[[Deployment], bool], cause: Refused | None = None) -> None:
        """Raises Conflict, with whose it is, when another deployment is in flight."""
        ids = self.caller.do(requests.running(self.place)).get("deployments", ())
        going = codedeploy_seen.read_deployments(self.caller.do(requests.deployments(ids))) if ids else []
        for one in going:
            if one.in_flight and not is_ours(one):
                who = f"{one.creator or 'somebody'}" + (f" ({one.description})" if one.description else "")
                raise Conflict(
                    f"CodeDeploy already deploys in {self.place.deployment_group}: {one.id}, by {who}.",
                    "Wait for it, or stop it in CodeDeploy.",
                ) from cause

    # --- for orders ---------------------------------------------------------------------------------------------------

    def check(self, file: Service) -> None:
        group = self.group()
        service, _ = codedeploy_seen.read_service(self.caller.do(requests.service(group.cluster, group.service)))
        if service.get("status") != "ACTIVE":
            raise NotFound(f"The cluster {group.cluster} has no service {group.service}.", "Make it, or correct the group.")
        controller = (service.get("deploymentController") or {}).get("type", "ECS")
        if controller != "CODE_DEPLOY":
            raise Invalid(
                f"{group.service} is deployed by {controller}, and not by CodeDeploy.",
                "Make a service with the deployment controller CODE_DEPLOY, or use platform.ecs.",
                "platform.codedeploy",
            )
        self._must_have_container(file)
        _must_have_time(file, group)
        self._must_be_free(lambda one: bool(one.rollout))
        self._must_serve_as_released(file)

    def _must_serve_as_released(self, file: Service) -> None:
        """CodeDeploy may have gone back after a rollout was over, or somebody may have deployed by hand."""
        setting = self.order.setting if self.order is not None else None
        if setting is not None and setting.stable and not setting.rollout and not self.look(setting).has(setting.stable):
            raise Conflict(
                f"{file.service} is at {setting.stable}, and CodeDeploy serves another revision now.",
                f"Say which: tidegate rollback {file.service} --to VERSION; or deploy {setting.stable} again in CodeDeploy.",
            )

    def _must_have_container(self, file: Service) -> None:
        names = self._revisions.check(file.tasks.ecs) if file.tasks.ecs is not None else []
        if self.place.container not in names:
            raise Invalid(
                f"The task definition has no container {self.place.container!r}.",
                f"Its containers: {', '.join(names)}.",
                "platform.codedeploy.container",
            )

    def restart(self, version: str) -> None:
        raise Refused(
            f"CodeDeploy does not replace the tasks of {version} by themselves.", "Deploy it again under another name."
        )

    # --- nobody counts ------------------------------------------------------------------------------------------------

    def count(self, now: datetime) -> None:
        """Nobody does."""

    def reading(self, now: datetime) -> RouterReading | None:  # noqa: ARG002 - nobody counts
        return None


def _must_have_time(file: Service, group: Group) -> None:
    """What the plan asks for, and the group does not give."""
    plan = file.plan.resolve()
    if shift_of(plan).first and not group.asks:
        raise Invalid(
            "The plan begins with a step of 0%, and the deployment group lets users in without asking.",
            "Give the group a deploymentReadyOption with STOP_DEPLOYMENT and a waiting time, or take the step out.",
            "plan",
        )
    bake = plan.steps[-1].hold
    if bake > group.keeps:
        raise Invalid(
            f"The plan bakes for {say_duration(bake)}, and the group ends the old tasks after {say_duration(group.keeps)}.",
            "Raise the group's terminationWaitTimeInMinutes, or shorten plan.bake.",
            "plan.bake",
        )


@contextmanager
def _despite(*codes: str) -> Iterator[None]:
    """What AWS says no to with one of these codes is no trouble."""
    try:
        yield
    except Refused as refused:
        if not any(code in refused.what for code in codes):
            raise
