"""Reads from AppConfig what concerns one environment: the ids of what its file names, and the deployments. Changes nothing.

What never changes is asked for once: ids, what a label means, and what is over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from tidegate.core.environment import Environment
from tidegate.core.errors import NotFound, Refused
from tidegate.core.flags.document import FlagDocument
from tidegate.core.monitor import Monitor
from tidegate.core.strategy import LEADER
from tidegate.drivers.aws import appconfig_requests as requests
from tidegate.drivers.aws.appconfig_monitors import monitors
from tidegate.drivers.aws.appconfig_requests import Place
from tidegate.drivers.aws.appconfig_seen import Deployment, Seen, read_item
from tidegate.drivers.aws.call import Call, Caller, Callers
from tidegate.drivers.aws.pages import pages

MOST_SEEN = 200
"""Deployments that are looked through for the one in force."""

Known = Callable[[str, int], FlagDocument | None]
"""The document of an application under its number."""
Item = Mapping[str, Any]
_LABEL = re.compile(r"tidegate-([1-9]\d{0,17})-[0-9a-f]{12}")


class Reader:
    """Of one environment."""

    def __init__(self, file: Environment, callers: Callers, known: Known) -> None:
        if file.platform is None:
            raise Refused(f"{file.subject} names no platform.", "Write platform: {appconfig: ...} into its file.")
        self.file = file
        self._names = file.platform.appconfig
        self._callers = callers
        self._known = known
        self._place: Place | None = None
        self._details: dict[tuple[int, str], Item] = {}  # by number and state
        self._versions: dict[str, str] = {}  # by label

    @property
    def caller(self) -> Caller:
        """Raises Refused when boto3 is not there."""
        return self._callers(self.file.access)

    def items(self, call: Call) -> Iterator[Item]:
        """Of all pages."""
        for page in pages(self.caller, call):
            yield from page.get("Items", ())

    def place(self) -> Place:
        """Raises NotFound with the names that there are."""
        if self._place is None:
            names, file = self._names, self.file
            application = self._id("application", names.application or file.application, requests.applications())
            environment = self._id("environment", names.environment or file.environment, requests.environments(application))
            profile = self._id("configuration profile", names.profile, requests.profiles(application))
            self._place = Place(application, environment, profile)
        return self._place

    def _id(self, kind: str, wanted: str, call: Call) -> str:
        items = list(self.items(call))
        for key in ("Id", "Name"):
            for item in items:
                if item.get(key) == wanted:
                    return str(item["Id"])
        there = ", ".join(sorted(str(item["Name"]) for item in items)[:10]) or "none"
        raise NotFound(f"{LEADER} has no {kind} {wanted!r}.", f"Make it, or correct the name. There are: {there}.")

    def monitors(self) -> tuple[Monitor, ...]:
        """The alarms by which AppConfig goes back by itself, as they are now."""
        place = self.place()
        environments = self.items(requests.environments(place.application))
        return monitors(self.caller, next((one for one in environments if one["Id"] == place.environment), {}))

    def document(self, version: str) -> FlagDocument:
        """Ours under this number. Raises NotFound."""
        found = self._known(self.file.application, int(version))
        if found is None:
            raise NotFound(f"{self.file.application} has no flag document {version}.", "Look: tidegate flags history.")
        return found

    # --- deployments --------------------------------------------------------------------------------------------------

    def look(self, now: datetime) -> Seen:
        place = self.place()
        found: list[Deployment] = []
        for item in self._newest_first(place):
            found.append(self._read(place, item))
            if sum(one.ours and one.state == "COMPLETE" for one in found) == 2 or len(found) == MOST_SEEN:
                break
        return Seen(tuple(found), now)

    def _newest_first(self, place: Place) -> Iterator[Item]:
        for page in pages(self.caller, requests.deployments(place)):
            yield from sorted(page.get("Items", ()), key=lambda item: -int(item["DeploymentNumber"]))

    def _read(self, place: Place, item: Item) -> Deployment:
        return read_item(item, place.profile, self._version_of(str(item.get("VersionLabel", ""))), self._detail(place, item))

    def _detail(self, place: Place, item: Item) -> Item:
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
