"""The lever of services on Amazon ECS behind a rule of an Application Load Balancer.

Each service has a pilot, which looks at AWS and asks it for what is missing, beside the loop: AWS may take its time. It keeps
nothing that it could not see again; `alb_next.py` decides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from tidegate.core.errors import Invalid, NotFound, Refused, TidegateError
from tidegate.core.exposure import Exposure
from tidegate.core.platform import GRAIN, Ecs
from tidegate.core.rollout import Readiness, Ready
from tidegate.core.service import Service
from tidegate.core.setting import UNSEEN, Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.drivers.aws import alb_next, alb_requests
from tidegate.drivers.aws.alb_counts import Counting, dimensions
from tidegate.drivers.aws.alb_next import Install, Wanted
from tidegate.drivers.aws.alb_seen import Answers, Definition, Seen, read
from tidegate.drivers.aws.call import Call, Caller
from tidegate.ports import Jotter, RouterReading

EVERY = timedelta(seconds=5)
"""Between two looks while nothing moves: five calls each, of an account that shares its limits."""
SOON = timedelta(seconds=1)
STALE = timedelta(seconds=20)
"""What was seen longer ago is not seen any more."""
FRESH = timedelta(seconds=15)
"""Whoever was not told for so long what is wanted does nothing: another controller may have the service now."""
MOST_TURNS = 5

Known = Callable[[str, str], Service | None]
"""The service as this version of it runs."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the loop wants of one service, and when it said so."""

    wanted: Wanted
    files: Mapping[str, Service]
    at: datetime


class Pilot:
    """One service."""

    def __init__(self, ecs: Ecs, callers: Callable[[str], Caller], clock: Callable[[], datetime]) -> None:
        self.ecs = ecs
        self._callers = callers
        self._clock = clock
        self._definitions: dict[str, Definition] = {}  # they never change
        self._registered: dict[tuple[str, str], str] = {}  # by version and digest; AWS may show them a moment later
        self.order: Order | None = None
        self.problem = ""
        self.seen: Seen | None = None
        self.counting: Counting | None = None

    @property
    def caller(self) -> Caller:
        """Raises Refused when boto3 is not there."""
        return self._callers(self.ecs.region)

    def turn(self) -> bool:
        """Looks, and asks for what is missing, until nothing is. Whether something is under way. Raises TidegateError."""
        for _ in range(MOST_TURNS):
            seen = self.seen = self.look()
            order = self.order
            if order is None or self._clock() - order.at > FRESH:
                return False
            if not self._steer(order, seen):
                return any(side.state == "IN_PROGRESS" or side.deployments > 1 for side in seen.sides)
        return True

    def look(self) -> Seen:
        rules, tags, services, *health = (self.caller.do(call) for call in alb_requests.look(self.ecs))
        for service in services.get("services", ()):
            self._definition(service["taskDefinition"])
        answers = Answers(rules, tags, services, (health[0], health[1]), self._definitions)
        seen = read(self.ecs, answers, self._clock())
        return replace(seen, quiet=self.counting.quiet(self._clock())) if self.counting is not None else seen

    def _steer(self, order: Order, seen: Seen) -> bool:
        """Asks for the next things; False when there are none. Weights first, and what the tasks need even if that fails."""
        now = self._clock()
        weights = alb_next.next_weights(order.wanted, seen, now)
        for call in weights:
            self.caller.do(call)
        steps = list(alb_next.next_tasks(order.wanted, seen, now))
        for step in steps:
            self.caller.do(step if isinstance(step, Call) else self._install(step, order))
        return bool(weights or steps)

    def _install(self, step: Install, order: Order) -> Call:
        file = order.files[step.version]
        arn = self._find_definition(file, step.version) or self._register(file, step.version, order)
        return alb_requests.run(self.ecs, step.side, arn, order.wanted.counts[step.version])

    def _register(self, file: Service, version: str, order: Order) -> str:
        template = self.caller.do(alb_requests.describe_definition(_template(file)))
        call = alb_requests.register_definition(file, version, template, order.wanted.setting.rollout)
        arn = str(self.caller.do(call)["taskDefinition"]["taskDefinitionArn"])
        self._registered[version, alb_requests.digest_of(file)] = arn
        return arn

    def _find_definition(self, file: Service, version: str) -> str:
        """One that was registered for this version before, perhaps by a controller that died of it; "" when there is none."""
        digest = alb_requests.digest_of(file)
        if arn := self._registered.get((version, digest)):
            return arn
        tasks = file.tasks.ecs
        answer = self.caller.do(alb_requests.list_definitions(alb_requests.family_of(tasks))) if tasks else {}
        for arn in answer.get("taskDefinitionArns", ()):
            found = self._definition(arn)
            if (found.version, found.digest) == (version, digest):
                return found.arn
        return ""

    def _definition(self, arn: str) -> Definition:
        if arn not in self._definitions:
            found = alb_requests.read_definition(self.caller.do(alb_requests.describe_definition(arn)))
            self._definitions = {**self._definitions, arn: found}
        return self._definitions[arn]


def _template(file: Service) -> str:
    if file.tasks.ecs is None:
        raise Refused(f"{file.service} has no tasks.ecs.", "Say which task definition its versions begin from.")
    return file.tasks.ecs.task_definition


class AlbLever:
    """Implements ports.Lever for services with `platform.ecs`. `callers` gives the caller of a region."""

    def __init__(
        self, callers: Callable[[str], Caller], known: Known, clock: Callable[[], datetime], jotter: Jotter | None = None
    ) -> None:
        """`jotter` keeps where the counting stands."""
        self._callers = callers
        self._known = known
        self._clock = clock
        self._jotter = jotter
        self._pilots: dict[str, Pilot] = {}
        self._looks: dict[str, Seen] = {}
        self._stopped = threading.Event()
        self._pokes: dict[str, threading.Event] = {}
        self._log = structlog.get_logger()

    @property
    def grain(self) -> Exposure:
        return GRAIN

    # --- for the loop -------------------------------------------------------------------------------------------------

    def look(self, now: datetime) -> None:
        fresh = {name: pilot.seen for name, pilot in self._pilots.items() if pilot.seen is not None}
        self._looks = {name: seen for name, seen in fresh.items() if seen.at is not None and now - seen.at <= STALE}

    def applied(self, subject: str) -> Applied:
        seen = self._looks.get(subject)
        return alb_next.applied(seen) if seen is not None else UNSEEN

    def readiness(self, subject: str, version: str) -> Readiness:
        pilot, file = self._pilots.get(subject), self._known(subject, version)
        if pilot is None or file is None:
            return Readiness(Ready.UNSEEN)
        if pilot.problem:
            return Readiness(Ready.FAILED, pilot.problem)
        return alb_next.readiness(pilot.ecs, self._looks.get(subject), version, file.tasks.count, self._clock())

    def health(self, subject: str, version: str) -> TaskHealth | None:
        file = self._known(subject, version)
        return alb_next.health(self._looks.get(subject), version, file.tasks.count) if file is not None else None

    def gone(self, subject: str, version: str) -> bool:
        return alb_next.gone(self._looks.get(subject), version)

    def reading_of(self, subject: str) -> RouterReading | None:
        """What each side has answered; None when nobody counts or can say."""
        pilot = self._pilots.get(subject)
        return pilot.counting.reading(self._clock()) if pilot is not None and pilot.counting is not None else None

    def apply(self, settings: Mapping[str, Setting], needs: frozenset[tuple[str, str]], now: datetime) -> None:
        """Tells the pilots, which do it. Those of services that are gone stop: what they left on AWS stays."""
        for subject, setting in settings.items():
            versions = [setting.stable, setting.slot, *sorted(version for name, version in needs if name == subject)]
            known = {version: file for version in versions if (file := self._known(subject, version)) is not None}
            ecs = next((file.platform.ecs for file in known.values() if file.platform is not None), None)
            if ecs is None:
                continue
            pilot = self._pilot(subject, ecs)
            counts = {version: file.tasks.count for version, file in known.items() if (subject, version) in needs}
            before, wanted = pilot.order, Wanted(ecs, setting, counts)
            pilot.order = Order(wanted, known, now)
            if before is None or before.wanted != wanted:
                self._pokes[subject].set()
        for subject in self._pilots.keys() - settings.keys():
            del self._pilots[subject]
            self._pokes.pop(subject).set()

    def _pilot(self, subject: str, ecs: Ecs) -> Pilot:
        pilot = self._pilots.get(subject)
        if pilot is None or pilot.ecs != ecs:
            pilot = self._pilots[subject] = Pilot(ecs, self._callers, self._clock)
            self._pokes.setdefault(subject, threading.Event())
            if ecs.counted_by is not None:
                pilot.counting = Counting(subject, ecs, lambda: pilot.caller, self._jotter)
        return pilot

    # --- beside the loop ----------------------------------------------------------------------------------------------

    def turn(self, subject: str) -> bool:
        """One turn of this service's pilot; whether it should be looked at again soon."""
        pilot = self._pilots.get(subject)
        if pilot is None:
            return False
        try:
            moving, pilot.problem = pilot.turn(), ""
        except Refused as refused:
            pilot.problem = f"{refused.what} {refused.mend}"
            self._log.warning("aws_refuses", service=subject, problem=refused.what, mend=refused.mend)
            return False
        except TidegateError as error:
            self._log.warning("aws_unreachable", service=subject, problem=error.what, mend=error.mend)
            return True
        return moving

    def count(self, subject: str) -> None:
        """Asks how many requests each side answered, when there is something new to be told."""
        pilot = self._pilots.get(subject)
        if pilot is None or pilot.counting is None or pilot.seen is None:
            return
        try:
            pilot.counting.ask(pilot.seen, self._clock())
        except TidegateError as error:
            self._log.warning("requests_uncounted", service=subject, problem=error.what, mend=error.mend)

    def run(self) -> None:
        """Keeps two threads for each service, until stopped: one that flies, one that counts."""
        threads: dict[tuple[str, str], threading.Thread] = {}
        while not self._stopped.wait(SOON.total_seconds() / 4):
            for name, work in (("alb", self._fly), ("counts", self._keep_counting)):
                for subject in self._pilots.keys() - {known for kind, known in threads if kind == name}:
                    thread = threading.Thread(target=work, args=(subject,), name=f"{name}-{subject}", daemon=True)
                    threads[name, subject] = thread
                    thread.start()
            threads = {key: thread for key, thread in threads.items() if thread.is_alive()}

    def _keep_counting(self, subject: str) -> None:
        while subject in self._pilots and not self._stopped.wait(SOON.total_seconds()):
            try:
                self.count(subject)
            except Exception:
                self._log.exception("counting_failed", service=subject)

    def _fly(self, subject: str) -> None:
        while not self._stopped.is_set() and subject in self._pilots:
            poke = self._pokes[subject]
            poke.clear()
            try:
                moving = self.turn(subject)
            except Exception:
                self._log.exception("alb_turn_failed", service=subject)
                moving = False
            poke.wait((SOON if moving else EVERY).total_seconds())

    def stop(self) -> None:
        self._stopped.set()
        for poke in self._pokes.values():
            poke.set()

    # --- for orders ---------------------------------------------------------------------------------------------------

    def check(self, file: Service) -> None:
        """Raises Refused when this service could never be released there. Changes nothing."""
        tasks, ecs = file.tasks.ecs, file.platform.ecs if file.platform else None
        if tasks is None or ecs is None:
            return
        pilot = Pilot(ecs, self._callers, self._clock)
        found = pilot.caller.do(alb_requests.look(ecs)[2])
        there = {service["serviceName"] for service in found.get("services", ()) if service.get("status") == "ACTIVE"}
        if missing := [name for name in ecs.services if name not in there]:
            raise NotFound(
                f"The cluster {ecs.cluster} has no service {missing[0]}.", "Make both services, or correct the name."
            )
        seen = pilot.look()
        Counting(file.service, ecs, lambda: pilot.caller).check(seen, self._clock())
        if not seen.is_ours:
            raise Invalid(
                f"The rule {ecs.listener_rule.rpartition('/')[2]} does not forward to just these two target groups.",
                "Let it forward to both, one with the weight 0.",
                "platform.ecs.listener_rule",
            )
        template = pilot.caller.do(alb_requests.describe_definition(tasks.task_definition))
        names = [container["name"] for container in template["taskDefinition"]["containerDefinitions"]]
        if unknown := sorted(set(tasks.images) - set(names)):
            known = ", ".join(names)
            raise Invalid(
                f"{tasks.task_definition} has no container {unknown[0]!r}.", f"Its containers: {known}.", "tasks.ecs.images"
            )

    def restart(self, subject: str, version: str) -> None:
        pilot = self._pilots.get(subject)
        side = pilot.seen.of(version) if pilot is not None and pilot.seen is not None else None
        if pilot is None or side is None:
            raise NotFound(f"No ECS service of {subject} runs {version}.", "Wait until it is seen.")
        pilot.caller.do(alb_requests.restart(pilot.ecs, side))

    def dimensions(self, subject: str, version: str) -> Mapping[str, str]:
        """What CloudWatch calls the target group of this version, and the load balancer."""
        seen = self._looks.get(subject)
        side = seen.of(version) if seen is not None else None
        if side is None:
            return {}
        return dimensions(self._pilots[subject].ecs, side)
