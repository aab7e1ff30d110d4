"""The pilot of a service on Amazon ECS behind a rule of an Application Load Balancer: two ECS services, whose weights it moves.

It keeps nothing that it could not see again; `alb_next.py` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tidegate.core.errors import Invalid, NotFound
from tidegate.core.platform import Ecs
from tidegate.core.rollout import Readiness
from tidegate.core.service import Service
from tidegate.core.setting import Applied
from tidegate.core.verdict import TaskHealth
from tidegate.drivers.aws import alb_next, alb_requests
from tidegate.drivers.aws.alb_counts import Counting, dimensions
from tidegate.drivers.aws.alb_given_up import GivenUp
from tidegate.drivers.aws.alb_next import Install, Wanted
from tidegate.drivers.aws.alb_seen import Answers, Seen, read
from tidegate.drivers.aws.call import Call, Caller
from tidegate.drivers.aws.flights import MOST_TURNS
from tidegate.drivers.aws.last_words import last_words
from tidegate.drivers.aws.lever import Order
from tidegate.drivers.aws.revisions import Revisions
from tidegate.ports import Jotter, RouterReading


@dataclass(frozen=True, slots=True)
class AlbGlance:
    """Implements lever.Glance."""

    ecs: Ecs
    seen: Seen

    @property
    def at(self) -> datetime | None:
        return self.seen.at

    def applied(self) -> Applied:
        return alb_next.applied(self.seen)

    def readiness(self, version: str, count: int, now: datetime) -> Readiness:
        return alb_next.readiness(self.ecs, self.seen, version, count, now)

    def health(self, version: str, count: int) -> TaskHealth | None:
        return alb_next.health(self.seen, version, count)

    def gone(self, version: str) -> bool:
        return alb_next.gone(self.seen, version)

    def dimensions(self, version: str) -> Mapping[str, str]:
        side = self.seen.of(version)
        return dimensions(self.ecs, side) if side is not None else {}


class AlbPilot:
    """Implements lever.Pilot. `caller` gives who asks AWS for it; `jotter` keeps where the counting stands."""

    def __init__(
        self,
        subject: str,
        ecs: Ecs,
        caller: Callable[[], Caller],
        clock: Callable[[], datetime],
        jotter: Jotter | None = None,
    ) -> None:
        self.ecs = ecs
        self._caller = caller
        self._clock = clock
        self._revisions = Revisions(lambda: self.caller)
        self._given_up = GivenUp(lambda service, definition: last_words(self.caller, ecs, service, definition))
        self.order: Order | None = None
        self.seen: Seen | None = None
        self.counting = Counting(subject, ecs, lambda: self.caller, jotter) if ecs.counted_by is not None else None

    @property
    def caller(self) -> Caller:
        """Raises Refused when boto3 is not there."""
        return self._caller()

    def glance(self) -> AlbGlance | None:
        seen = self.seen
        return AlbGlance(self.ecs, seen) if seen is not None else None

    def turn(self) -> bool:
        for _ in range(MOST_TURNS):
            seen, order = self.look(), self.order
            if order is not None:
                seen = replace(seen, given_up=self._given_up.after(order.setting, seen))
            self.seen = seen
            if order is None or not order.is_fresh(self._clock()):
                return False
            if not self._steer(order, seen):
                return any(side.state == "IN_PROGRESS" or side.deployments > 1 for side in seen.sides)
        return True

    def look(self) -> Seen:
        rules, tags, services, *health = (self.caller.do(call) for call in alb_requests.look(self.ecs))
        for service in services.get("services", ()):
            self._revisions.of(service["taskDefinition"])
        answers = Answers(rules, tags, services, (health[0], health[1]), self._revisions.known)
        seen = read(self.ecs, answers, self._clock())
        return replace(seen, quiet=self.counting.quiet(self._clock())) if self.counting is not None else seen

    def _steer(self, order: Order, seen: Seen) -> bool:
        """Asks for the next things; False when there are none. Weights first, and what the tasks need even if that fails."""
        now, wanted = self._clock(), Wanted(self.ecs, order.setting, order.counts)
        weights = alb_next.next_weights(wanted, seen, now)
        for call in weights:
            self.caller.do(call)
        steps = list(alb_next.next_tasks(wanted, seen, now))
        for step in steps:
            self.caller.do(step if isinstance(step, Call) else self._install(step, order))
        return bool(weights or steps)

    def _install(self, step: Install, order: Order) -> Call:
        arn = self._revisions.arn_for(order.files[step.version], step.version, order.setting.rollout)
        return alb_requests.run(self.ecs, step.side, arn, order.counts[step.version])

    def count(self, now: datetime) -> None:
        if self.counting is not None and self.seen is not None:
            self.counting.ask(self.seen, now)

    def reading(self, now: datetime) -> RouterReading | None:
        return self.counting.reading(now) if self.counting is not None else None

    # --- for orders ---------------------------------------------------------------------------------------------------

    def check(self, file: Service) -> None:
        ecs, tasks = self.ecs, file.tasks.ecs
        found = self.caller.do(alb_requests.look(ecs)[2])
        there = {service["serviceName"] for service in found.get("services", ()) if service.get("status") == "ACTIVE"}
        if missing := [name for name in ecs.services if name not in there]:
            raise NotFound(
                f"The cluster {ecs.cluster} has no service {missing[0]}.", "Make both services, or correct the name."
            )
        seen = self.look()
        Counting(file.service, ecs, lambda: self.caller).check(seen, self._clock())
        if not seen.is_ours:
            raise Invalid(
                f"The rule {ecs.listener_rule.rpartition('/')[2]} does not forward to just these two target groups.",
                "Let it forward to both, one with the weight 0.",
                "platform.ecs.listener_rule",
            )
        if tasks is not None:
            self._revisions.check(tasks)

    def restart(self, version: str) -> None:
        side = self.seen.of(version) if self.seen is not None else None
        if side is None:
            raise NotFound(f"No ECS service of {self.ecs.cluster} runs {version}.", "Wait until it is seen.")
        self.caller.do(alb_requests.restart(self.ecs, side))
