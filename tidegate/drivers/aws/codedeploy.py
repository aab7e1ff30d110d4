"""The pilot of a service that AWS CodeDeploy releases on ECS: it has deployments made, follows them, and has them turned back.

CodeDeploy moves the weights, and goes back by its own alarms also when nobody of us is there. The pilot keeps nothing that
it could not see again: a deployment of ours is known by its description. `codedeploy_next.py` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.core.codedeploy import CodeDeploy, Shift
from tidegate.core.errors import Conflict, Invalid, NotFound, Refused
from tidegate.core.rollout import Readiness
from tidegate.core.service import Service
from tidegate.core.setting import Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.drivers.aws import codedeploy_next
from tidegate.drivers.aws import codedeploy_requests as requests
from tidegate.drivers.aws.call import Call, Caller
from tidegate.drivers.aws.codedeploy_group import Group, must_have_time
from tidegate.drivers.aws.codedeploy_next import Deploy, Scale
from tidegate.drivers.aws.codedeploy_reader import Reader
from tidegate.drivers.aws.codedeploy_seen import Deployment, Seen
from tidegate.drivers.aws.flights import MOST_TURNS
from tidegate.drivers.aws.lever import Order
from tidegate.drivers.aws.revisions import Revisions
from tidegate.ports import RouterReading

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


class CodeDeployPilot:
    """Implements lever.Pilot. `caller` gives who asks AWS for it."""

    def __init__(self, place: CodeDeploy, caller: Callable[[], Caller], clock: Callable[[], datetime]) -> None:
        self.place = place
        self._caller = caller
        self._clock = clock
        self._revisions = Revisions(lambda: self.caller)
        self._reader = Reader(place, lambda: self.caller, self._revisions)
        self._group: Group | None = None
        self._asked: dict[str, datetime] = {}
        self._glance: CodeDeployGlance | None = None
        self.order: Order | None = None

    @property
    def caller(self) -> Caller:
        """Raises Refused when boto3 is not there."""
        return self._caller()

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
        return self._reader.look(group, setting, self._clock())

    def group(self) -> Group:
        """Raises NotFound or Invalid when there is none that could be used."""
        return self._reader.group()

    def arn(self, group: Group) -> str:
        """Of its ECS service; "" when there is none."""
        return str(self._reader.service(group)[0].get("serviceArn", ""))

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
        for one in self._reader.in_flight():
            if not is_ours(one):
                who = f"{one.creator or 'somebody'}" + (f" ({one.description})" if one.description else "")
                raise Conflict(
                    f"CodeDeploy already deploys in {self.place.deployment_group}: {one.id}, by {who}.",
                    "Wait for it, or stop it in CodeDeploy.",
                ) from cause

    # --- for orders ---------------------------------------------------------------------------------------------------

    def check(self, file: Service) -> None:
        group = self.group()
        service, _ = self._reader.service(group)
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
        must_have_time(file.plan.resolve(), group)
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


@contextmanager
def _despite(*codes: str) -> Iterator[None]:
    """What AWS says no to with one of these codes is no trouble."""
    try:
        yield
    except Refused as refused:
        if not any(code in refused.what for code in codes):
            raise
