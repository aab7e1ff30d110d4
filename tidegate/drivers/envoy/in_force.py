"""What an acknowledged version means: which side a file of tasks holds, which salt a route table uses.

A version is a hash of the content, so what was once read keeps its meaning, and a controller that was restarted learns it
from the files that it finds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.core.errors import Unreachable
from tidegate.drivers.envoy import endpoints, names, routes
from tidegate.drivers.envoy.acks import Acks
from tidegate.drivers.envoy.files import Files
from tidegate.drivers.envoy.resource import File, version_of

_KEPT = 4  # former contents of a path whose meaning is remembered


@dataclass(slots=True)
class InForce:
    files: Files
    acks: Acks | None = None
    _meanings: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)

    def learn(self, files: Mapping[str, File]) -> None:
        """Notes what these files would mean when they are acknowledged."""
        for path, file in files.items():
            if path.startswith(("eds/", "rds/")) and file.version not in self._meanings.get(path, {}):
                self._learn(path, file.text)

    def version_in(self, service: str, place: str) -> str | None:
        """The version in the stable side or the slot, "" when it is empty; None when that is not known."""
        meaning = self._meaning(names.eds_file(names.cluster(service, place)))
        return None if meaning is None else meaning.get(names.SIDE, "")

    def salts(self) -> dict[str, str]:
        """The salt of each service, from all route tables."""
        found: dict[str, str] = {}
        for path in self.acks.by_path if self.acks else ():
            if path.startswith("rds/"):
                found |= self._meaning(path) or {}
        return found

    def _meaning(self, path: str) -> dict[str, str] | None:
        version = self.acks.of(path).version if self.acks else ""
        if not version:
            return None
        if version not in self._meanings.get(path, {}):
            try:
                self._learn(path, self.files.read(path))
            except Unreachable:
                return None
        return self._meanings.get(path, {}).get(version)

    def _learn(self, path: str, text: str) -> None:
        known = self._meanings.setdefault(path, {})
        version = version_of(text)
        if not version or version in known:
            return
        resources = json.loads(text)["resources"]
        if path.startswith("rds/"):
            known[version] = routes.salts_in(resources)
        else:
            known[version] = {names.SIDE: endpoints.version_in(resources)}
        while len(known) > _KEPT:
            del known[next(iter(known))]
