"""The lever of environments whose flags AWS AppConfig deploys: it leads, by the strategy that the plan is to it.

Each environment has a pilot, which looks at AppConfig and asks it for what is missing, beside the loop: AWS may take its
time. It keeps nothing that it could not see again; `appconfig_seen.py` decides.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from tidegate.core.environment import Environment
from tidegate.core.errors import Conflict, Invalid, NotFound, Refused, TidegateError
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.flags.document import FlagDocument
from tidegate.core.rollout import Readiness, Ready
from tidegate.core.setting import UNSEEN, Applied, Setting
from tidegate.core.strategy import AT_ONCE, LEADER, Strategy, strategy_of
from tidegate.core.verdict import TaskHealth
from tidegate.drivers.aws import appconfig_requests as requests
from tidegate.drivers.aws.appconfig_requests import Place
from tidegate.drivers.aws.appconfig_seen import (
    Deployment,
    Seen,
    Start,
    Stop,
    applied,
    next_act,
    read_item,
    readiness,
)
from tidegate.drivers.aws.call import Call, Caller

EVERY = timedelta(seconds=5)
SOON = timedelta(seconds=2)
AGAIN = 0.25
"""Seconds until an environment that is new gets its thread."""
STALE = timedelta(seconds=20)
"""What was seen longer ago is not seen any more."""
FRESH = timedelta(seconds=15)
"""Whoever was not told for so long what is wanted does nothing: another controller may have the environment now."""
MOST_TURNS = 5
MOST_SEEN = 200
"""Deployments that are looked through for the one in force."""

Known = Callable[[str, int], FlagDocument | None]
"""The document of an application under its number."""
FileOf = Callable[[str], Environment | None]
_LABEL = re.compile(r"tidegate-([1-9]\d{0,17})-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Order:
    """What the loop wants of one environment, and when it said so."""

    setting: Setting
    at: datetime

    @property
    def matter(self) -> Setting:
        """What is looked for. The exposure is AppConfig's to move."""
        return replace(self.setting, exposure=NONE, salt="")


class Pilot:
    """One environment."""

    def __init__(
        self, file: Environment, callers: Callable[[str], Caller], known: Known, clock: Callable[[], datetime]
    ) -> None:
        if file.platform is None:
            raise Refused(f"{file.subject} names no platform.", "Write platform: {appconfig: ...} into its file.")
        self.file = file
        self.appconfig = file.platform.appconfig
        self._callers = callers
        self._known = known
        self._clock = clock
        self._place: Place | None = None  # ids never change
        self._details: dict[tuple[int, str], Mapping[str, Any]] = {}  # nor does what is over, but for its state
        self._versions: dict[str, str] = {}  # nor what a label means
        self.order: Order | None = None
        self.problem = ""
        self.seen: Seen | None = None
        self.matter: Setting | None = None
        """For what it was looked last, with nothing left to be asked for."""

    @property
    def caller(self) -> Caller:
        """Raises Refused when boto3 is not there."""
        return self._callers(self.appconfig.region)

    def turn(self) -> bool:
        """Looks, and asks for what is missing, until nothing is. Whether something is under way. Raises TidegateError."""
        for _ in range(MOST_TURNS):
            order, seen = self.order, self.look()
            self.seen = seen
            if order is None or self._clock() - order.at > FRESH:
                return seen.under_way is not None
            act = next_act(order.setting, seen)
            if act is None:
                self.matter = order.matter
                return seen.under_way is not None
            self._do(act, order.setting, seen)
        return True

    # --- looking ------------------------------------------------------------------------------------------------------

    def look(self) -> Seen:
        place, now = self.place(), self._clock()
        found: list[Deployment] = []
        for item in self._newest_first(place):
            found.append(self._read(place, item))
            if sum(one.ours and one.state == "COMPLETE" for one in found) == 2 or len(found) == MOST_SEEN:
                break
        return Seen(tuple(found), now)

    def _newest_first(self, place: Place) -> Iterator[Mapping[str, Any]]:
        for page in self._pages(requests.deployments(place)):
            yield from sorted(page, key=lambda item: -int(item["DeploymentNumber"]))

    def _read(self, place: Place, item: Mapping[str, Any]) -> Deployment:
        return read_item(item, place.profile, self._version_of(str(item.get("VersionLabel", ""))), self._detail(place, item))

    def _detail(self, place: Place, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Who started it, and why it was taken back; of another profile nobody asks."""
        if item.get("ConfigurationProfileId", place.profile) != place.profile:
            return {}
        key = (int(item["DeploymentNumber"]), str(item["State"]))
        if key in self._details:
            return self._details[key]
        detail = self.caller.do(requests.deployment(place, key[0]))
        if detail.get("State") == key[1] and key[1] in ("COMPLETE", "ROLLED_BACK", "REVERTED"):
            self._details[key] = detail
        return detail

    def _version_of(self, label: str) -> str:
        """The number of our document that it is; "" when it is none of ours."""
        found = _LABEL.fullmatch(label)
        if found is None:
            return ""
        if label not in self._versions:
            document = self._known(self.file.application, int(found[1]))
            is_it = document is not None and requests.label_of(document) == label
            self._versions[label] = found[1] if is_it else ""
        return self._versions[label]

    def place(self) -> Place:
        """Raises NotFound with the names that there are."""
        if self._place is None:
            names, file = self.appconfig, self.file
            application = self._id("application", names.application or file.application, requests.applications())
            environment = self._id("environment", names.environment or file.environment, requests.environments(application))
            profile = self._id("configuration profile", names.profile, requests.profiles(application))
            self._place = Place(application, environment, profile)
        return self._place

    def _id(self, kind: str, wanted: str, call: Call) -> str:
        items = [item for page in self._pages(call) for item in page]
        for key in ("Id", "Name"):
            for item in items:
                if item.get(key) == wanted:
                    return str(item["Id"])
        there = ", ".join(sorted(str(item["Name"]) for item in items)[:10]) or "none"
        raise NotFound(f"{LEADER} has no {kind} {wanted!r}.", f"Make it, or correct the name. There are: {there}.")

    def _pages(self, call: Call) -> Iterator[list[Mapping[str, Any]]]:
        token: str | None = ""
        while token is not None:
            answer = self.caller.do(replace(call, parameters={**call.parameters, **({"NextToken": token} if token else {})}))
            yield list(answer.get("Items", ()))
            token = answer.get("NextToken") or None

    # --- asking -------------------------------------------------------------------------------------------------------

    def _do(self, act: Stop | Start, setting: Setting, seen: Seen) -> None:
        place = self.place()
        if isinstance(act, Stop):
            self.caller.do(requests.stop(place, act.number))
            return
        strategy = AT_ONCE if act.at_once or setting.errand is None else strategy_of(setting.errand.plan)
        version, named = self._hosted(place, act.version), self._strategy(strategy)
        self.caller.do(requests.start(place, version=version, strategy=named, rollout=setting.rollout, after=seen.newest))

    def _hosted(self, place: Place, version: str) -> int:
        """AppConfig's number of this document: one that was made before, perhaps by a controller that died of it, or anew."""
        document = self._known(self.file.application, int(version))
        if document is None:
            raise NotFound(f"{self.file.application} has no flag document {version}.", "Look: tidegate flags history.")
        label = requests.label_of(document)
        for page in self._pages(requests.hosted(place, label)):
            for item in page:
                if item.get("VersionLabel") == label:
                    return int(item["VersionNumber"])
        return int(self.caller.do(requests.host(place, document))["VersionNumber"])

    def _strategy(self, strategy: Strategy) -> str:
        """Its id. Ours is found again by its name, as long as it is what that says."""
        if strategy.is_predefined:
            return strategy.name
        shape = (strategy.growth, strategy.factor, strategy.duration, strategy.bake)
        for page in self._pages(requests.strategies()):
            for item in page:
                if item.get("Name") == strategy.name and _shape(item) == shape:
                    return str(item["Id"])
        return str(self.caller.do(requests.make_strategy(strategy))["Id"])

    # --- for orders ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises Refused when nothing could ever be deployed there. Changes nothing."""
        place = self.place()
        items = [item for page in self._pages(requests.profiles(place.application)) for item in page]
        profile = next(item for item in items if item["Id"] == place.profile)
        kind, where = profile.get("Type") or "AWS.Freeform", profile.get("LocationUri", "hosted")
        if kind != "AWS.Freeform" or where != "hosted":
            raise Invalid(
                f"The configuration profile {profile['Name']} is {kind}, at {where}.",
                "Make a freeform one, hosted by AppConfig, for Tidegate alone: its document is evaluated by Tidegate's agent.",
                "platform.appconfig.profile",
            )

    def must_be_free(self, baseline: str, candidate: str) -> None:
        """Raises Conflict when it cannot be begun now."""
        self.check()
        seen, subject = self.look(), self.file.subject
        if seen.under_way is not None:
            what = seen.under_way.rollout or f"deployment {seen.under_way.number}, which is none of {subject}"
            raise Conflict(
                f"The {LEADER} environment of {subject} has a deployment under way: {what}.",
                f"{LEADER} does one at a time: wait for it, or stop it there.",
            )
        if seen.in_force in (baseline, candidate) or (not baseline and seen.in_force.isdecimal()):
            return
        if seen.in_force.isdecimal():
            mend = f"Say that it is meant: tidegate rollback {subject} --to {seen.in_force}."
        else:
            mend = "Give Tidegate a configuration profile of its own, or revert that deployment there."
        raise Conflict(
            f"{LEADER} has {seen.in_force or 'nothing'} in force for {subject}, and not {baseline or 'nothing'}.", mend
        )


def _shape(item: Mapping[str, Any]) -> tuple[str, float, int, int]:
    numbers = item.get("DeploymentDurationInMinutes", 0), item.get("FinalBakeTimeInMinutes", 0)
    return str(item.get("GrowthType", "LINEAR")), float(item.get("GrowthFactor", 100.0)), int(numbers[0]), int(numbers[1])


class AppConfigLever:
    """Implements engine.flag_platforms.Away for environments with `platform.appconfig`."""

    grain = Exposure(1)

    def __init__(self, callers: Callable[[str], Caller], known: Known, file_of: FileOf, clock: Callable[[], datetime]) -> None:
        self._callers = callers
        self._known = known
        self._file_of = file_of
        self._clock = clock
        self._pilots: dict[str, Pilot] = {}
        self._looks: dict[str, Seen] = {}
        self._stopped = threading.Event()
        self._pokes: dict[str, threading.Event] = {}
        self._log = structlog.get_logger()

    # --- for the loop -------------------------------------------------------------------------------------------------

    def look(self, now: datetime) -> None:
        fresh = {name: pilot.seen for name, pilot in self._pilots.items() if pilot.seen is not None}
        self._looks = {name: seen for name, seen in fresh.items() if now - seen.at <= STALE}

    def _told(self, subject: str) -> tuple[Setting, Seen] | None:
        """What is wanted, and what was seen since that is known and nothing is left to be asked for."""
        pilot, seen = self._pilots.get(subject), self._looks.get(subject)
        order = pilot.order if pilot is not None else None
        if pilot is None or seen is None or order is None or pilot.matter != order.matter:
            return None
        return order.setting, seen

    def applied(self, subject: str) -> Applied:
        told = self._told(subject)
        return applied(*told) if told is not None else UNSEEN

    def readiness(self, subject: str, version: str) -> Readiness:
        pilot, seen = self._pilots.get(subject), self._looks.get(subject)
        if pilot is not None and pilot.problem:
            return Readiness(Ready.FAILED, pilot.problem, back=pilot.problem)
        if pilot is None or pilot.order is None or seen is None:
            return Readiness(Ready.UNSEEN, busy="it cannot be seen")
        return readiness(pilot.order.setting, seen, version)

    def health(self, subject: str, version: str) -> TaskHealth:  # noqa: ARG002 - documents have no tasks that could be ill
        return TaskHealth(wanted=0, healthy=0)

    def gone(self, subject: str, version: str) -> bool:  # noqa: ARG002 - nothing of a document runs anywhere
        return True

    def apply(self, settings: Mapping[str, Setting], needs: frozenset[tuple[str, str]], now: datetime) -> None:  # noqa: ARG002 - documents are always ready
        """Tells the pilots, which do it. Those of environments that are gone stop: what they left in AppConfig stays."""
        for subject, setting in settings.items():
            file = self._file_of(subject)
            if file is None or file.platform is None:
                continue
            pilot = self._pilot(subject, file)
            before, pilot.order = pilot.order, Order(setting, now)
            if before is None or before.matter != pilot.order.matter:
                self._pokes[subject].set()
        for subject in self._pilots.keys() - settings.keys():
            del self._pilots[subject]
            self._pokes.pop(subject).set()

    def _pilot(self, subject: str, file: Environment) -> Pilot:
        pilot = self._pilots.get(subject)
        if pilot is None or pilot.file.platform != file.platform:
            pilot = self._pilots[subject] = Pilot(file, self._callers, self._known, self._clock)
            self._pokes.setdefault(subject, threading.Event())
        return pilot

    # --- beside the loop ----------------------------------------------------------------------------------------------

    def turn(self, subject: str) -> bool:
        """One turn of this environment's pilot; whether it should be looked at again soon."""
        pilot = self._pilots.get(subject)
        if pilot is None:
            return False
        try:
            moving, pilot.problem = pilot.turn(), ""
        except Conflict as conflict:  # somebody was faster: what is under way now is seen at the next look
            self._log.info("appconfig_moved", environment=subject, problem=conflict.what)
            return True
        except Refused as refused:
            pilot.problem = f"{refused.what} {refused.mend}"
            self._log.warning("aws_refuses", environment=subject, problem=refused.what, mend=refused.mend)
            return False
        except TidegateError as error:
            self._log.warning("aws_unreachable", environment=subject, problem=error.what, mend=error.mend)
            return True
        return moving

    def run(self) -> None:
        """Keeps a thread for each environment, until stopped."""
        threads: dict[str, threading.Thread] = {}
        while not self._stopped.wait(AGAIN):
            for subject in self._pilots.keys() - threads.keys():
                threads[subject] = threading.Thread(target=self._fly, args=(subject,), name=f"appconfig-{subject}", daemon=True)
                threads[subject].start()
            threads = {subject: thread for subject, thread in threads.items() if thread.is_alive()}

    def _fly(self, subject: str) -> None:
        while not self._stopped.is_set() and (poke := self._pokes.get(subject)) is not None:
            poke.clear()
            try:
                moving = self.turn(subject)
            except Exception:
                self._log.exception("appconfig_turn_failed", environment=subject)
                moving = False
            poke.wait((SOON if moving else EVERY).total_seconds())

    def stop(self) -> None:
        self._stopped.set()
        for poke in tuple(self._pokes.values()):
            poke.set()

    # --- for orders ---------------------------------------------------------------------------------------------------

    def check(self, file: Environment) -> None:
        Pilot(file, self._callers, self._known, self._clock).check()

    def must_be_free(self, file: Environment, baseline: str, candidate: str) -> None:
        Pilot(file, self._callers, self._known, self._clock).must_be_free(baseline, candidate)
