"""The pilot of one environment whose flags AppConfig deploys: it looks, and asks AppConfig for what is missing.

It keeps nothing that it could not see again; `appconfig_seen.py` decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from tidegate.core.environment import Environment
from tidegate.core.errors import Conflict, Invalid
from tidegate.core.exposure import NONE
from tidegate.core.monitor import Monitor
from tidegate.core.setting import Setting
from tidegate.core.strategy import AT_ONCE, LEADER, Strategy, strategy_of
from tidegate.drivers.aws import appconfig_requests as requests
from tidegate.drivers.aws.appconfig_reader import Known, Reader
from tidegate.drivers.aws.appconfig_seen import Seen, Start, Stop, next_act
from tidegate.drivers.aws.call import Callers
from tidegate.drivers.aws.flights import FRESH, MOST_TURNS


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
    """Implements flights.Pilot."""

    def __init__(self, file: Environment, callers: Callers, known: Known, clock: Callable[[], datetime]) -> None:
        self.file = file
        self._reader = Reader(file, callers, known)
        self._clock = clock
        self.order: Order | None = None
        self.seen: Seen | None = None
        self.matter: Setting | None = None
        """For what it was looked last, with nothing left to be asked for."""

    def turn(self) -> bool:
        for _ in range(MOST_TURNS):
            order, seen = self.order, self.look()
            self.seen = seen
            if order is None or self._clock() - order.at > FRESH:
                return seen.under_way is not None
            act = next_act(order.setting, seen)
            if act is None:
                self.matter = order.matter
                return seen.under_way is not None
            try:
                self._do(act, order.setting, seen)
            except Conflict as conflict:  # somebody was faster: what is under way now is seen at the next look
                structlog.get_logger().info("appconfig_moved", environment=self.file.subject, problem=conflict.what)
                return True
        return True

    def look(self) -> Seen:
        return self._reader.look(self._clock())

    # --- asking -------------------------------------------------------------------------------------------------------

    def _do(self, act: Stop | Start, setting: Setting, seen: Seen) -> None:
        place, caller = self._reader.place(), self._reader.caller
        if isinstance(act, Stop):
            caller.do(requests.stop(place, act.number))
            return
        strategy = AT_ONCE if act.at_once or setting.errand is None else strategy_of(setting.errand.plan)
        version, named = self._hosted(act.version), self._strategy(strategy)
        caller.do(requests.start(place, version=version, strategy=named, rollout=setting.rollout, after=seen.newest))

    def _hosted(self, version: str) -> int:
        """AppConfig's number of this document: one that was made before, perhaps by a controller that died of it, or anew."""
        document, place = self._reader.document(version), self._reader.place()
        label = requests.label_of(document)
        for item in self._reader.items(requests.hosted(place, label)):
            if item.get("VersionLabel") == label:
                return int(item["VersionNumber"])
        return int(self._reader.caller.do(requests.host(place, document))["VersionNumber"])

    def _strategy(self, strategy: Strategy) -> str:
        """Its id. Ours is found again by its name, as long as it is what that says."""
        if strategy.is_predefined:
            return strategy.name
        for item in self._reader.items(requests.strategies()):
            if item.get("Name") == strategy.name and requests.shape_of(item) == strategy.shape:
                return str(item["Id"])
        return str(self._reader.caller.do(requests.make_strategy(strategy))["Id"])

    # --- for orders ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises Refused when nothing could ever be deployed there. Changes nothing."""
        place = self._reader.place()
        items = self._reader.items(requests.profiles(place.application))
        profile = next(item for item in items if item["Id"] == place.profile)
        kind, where = profile.get("Type") or "AWS.Freeform", profile.get("LocationUri", "hosted")
        if kind != "AWS.Freeform" or where != "hosted":
            raise Invalid(
                f"The configuration profile {profile['Name']} is {kind}, at {where}.",
                "Make a freeform one, hosted by AppConfig, for Tidegate alone: its document is evaluated by Tidegate's agent.",
                "platform.appconfig.profile",
            )

    def monitors(self) -> tuple[Monitor, ...]:
        """The alarms by which AppConfig goes back by itself, as they are now."""
        return self._reader.monitors()

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
