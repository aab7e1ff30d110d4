"""Puts files in place in an order in which no request ever meets a hole, and takes them back when Envoy says no.

What is new comes from below (tasks, clusters, routes, ports), what goes leaves from above. Where the structure changes, each
layer is acknowledged before the next is written. Weights and tasks alone are written and not waited for.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.core.errors import Refused, Unreachable
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.acks import ACKS, Acks, read_acks
from tidegate.drivers.envoy.admin import Admin
from tidegate.drivers.envoy.bootstrap import LOG
from tidegate.drivers.envoy.files import Files
from tidegate.drivers.envoy.resource import File, Json, response
from tidegate.drivers.envoy.watches import require

_LAYERS = ("rds", "cds", "lds")
_REASON = re.compile(r"update (?:rejected|failure): (.*?)(?=\n\[2|\Z)", re.DOTALL)


class Rejected(Refused):
    """Envoy's own words are in `reason`; the files are as they were before."""

    def __init__(self, reason: str, mend: str = "") -> None:
        super().__init__(f"Envoy rejects the configuration: {reason}", mend)
        self.reason = reason


@dataclass(slots=True)
class Placing:
    """One change of files. `patience`: seconds to wait for each acknowledgement."""

    files: Files
    admin: Admin
    patience: float
    _before: Acks | None = None
    _undo: list[tuple[str, str]] = field(default_factory=list)
    _log_end: int = 0
    _stale: frozenset[str] = frozenset()

    def place(self, wanted: Mapping[str, File], stale: Iterable[str] = ()) -> None:
        """Makes these the files. `stale`: paths that Envoy seems to have missed, which are written anew."""
        self._stale = frozenset(stale)
        changed = {path: file for path, file in wanted.items() if path in self._stale or self.files.read(path) != file.text}
        gone = [path for folder in ("eds", "rds", "sds") for path in self.files.listing(folder) if path not in wanted]
        if any(path.startswith(_LAYERS) for path in (*changed, *gone)):
            self._restructure(changed, gone)
        else:
            self._refill(changed)

    def _refill(self, changed: Mapping[str, File]) -> None:
        weights = changed.get(names.RTDS_FILE)
        if weights is not None and len(changed) > 1:
            self.files.put(names.RTDS_FILE, self._lowered(weights).text)
        for path in sorted(changed, key=lambda path: path == names.RTDS_FILE):
            self.files.put(path, changed[path].text, anew=path in self._stale)

    def _restructure(self, changed: Mapping[str, File], gone: list[str]) -> None:
        self._before = self._acks()
        self._log_end = _size(self.files.run_dir / LOG)
        if self._before is not None:
            self._require_watches(changed)
        try:
            self._build(changed)
        except Rejected:
            self._take_back()
            raise
        for path in gone:
            self.files.remove(path)

    def _require_watches(self, changed: Mapping[str, File]) -> None:
        new = [path for path in _below(changed, "eds", "rds", "sds") if not self.files.read(path)]
        if new:
            services = dict.fromkeys(path.split("/")[1].split(".")[0] for path in new if path.startswith("eds/"))
            try:
                require(len(new) + sum(path.startswith("sds/") for path in new), ", ".join(services) or "the port")
            except Refused as refused:
                raise Rejected(refused.what.rstrip("."), refused.mend) from refused

    def _build(self, changed: Mapping[str, File]) -> None:
        if names.RTDS_FILE in changed:
            self._layer({names.RTDS_FILE: self._lowered(changed[names.RTDS_FILE])})
        self._layer(_below(changed, "eds", "sds"), wait=False)
        if names.CDS_FILE in changed:
            self._layer({names.CDS_FILE: self._with_former_clusters(changed[names.CDS_FILE])})
        tables = _below(changed, "rds")
        subscribed = self._before.by_path if self._before else {}
        self._layer({path: file for path, file in tables.items() if path not in subscribed}, wait=False)
        self._layer({path: file for path, file in tables.items() if path in subscribed})
        self._layer(_below(changed, "lds"))
        self._wait({path: file for path, file in tables.items() if path not in subscribed})
        self._layer(_below(changed, "cds"))
        self._layer(_below(changed, "rtds"), wait=False)

    def _layer(self, files: Mapping[str, File], *, wait: bool = True) -> None:
        for path, file in files.items():
            former = self.files.read(path)
            if self.files.put(path, file.text, anew=path in self._stale):
                self._undo.append((path, former))
        if wait:
            self._wait(files)

    def _wait(self, files: Mapping[str, File]) -> None:
        """Until each is in force. Without a running Envoy there is nobody to wait for, and a slow one is not an error:
        what is in force is seen at the next look."""
        if self._before is None or not files:
            return
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            now = self._acks()
            if now is None:
                return
            if any(now.of(path).refused > self._before.of(path).refused for path in files):
                raise Rejected(self._reason())
            if all(now.of(path).version == file.version for path, file in files.items()):
                return
            time.sleep(0.004)

    def _take_back(self) -> None:
        for path, former in reversed(self._undo):
            if former:
                self.files.put(path, former)
            else:
                self.files.remove(path)

    def _acks(self) -> Acks | None:
        try:
            return read_acks(self.admin.json("/stats", filter=ACKS)["stats"])
        except Unreachable:
            return None

    def _reason(self) -> str:
        """What Envoy wrote to its log since we began."""
        try:
            with (self.files.run_dir / LOG).open("rb") as log:
                log.seek(self._log_end)
                said = log.read().decode(errors="replace")
        except OSError as error:
            return f"see its log, which cannot be read: {error.strerror}"
        reasons = dict.fromkeys(" ".join(reason.split()) for reason in _REASON.findall(said))
        return "; ".join(reasons)[:600] or f"see {self.files.run_dir / LOG}"

    def _lowered(self, weights: File) -> File:
        """The weights now in place, lowered where the new ones are lower: nobody is exposed to what is not there yet."""
        try:
            now: Json = json.loads(self.files.read(names.RTDS_FILE))["resources"][0]["layer"]
        except (ValueError, KeyError, IndexError):
            return weights
        resources = json.loads(weights.text)["resources"]
        layer: Json = resources[0]["layer"]
        for key in [key for key in layer if key.endswith("." + names.CANDIDATE)]:
            other = key.removesuffix(names.CANDIDATE) + names.STABLE
            whole = layer[key] + layer[other]
            layer[key] = min(layer[key], now.get(key, 0))
            layer[other] = whole - layer[key]
        return response(resources)

    def _with_former_clusters(self, clusters: File) -> File:
        """The new clusters, and those that go, which routes may still name."""
        try:
            former = json.loads(self.files.read(names.CDS_FILE))["resources"]
        except (ValueError, KeyError):
            return clusters
        resources = json.loads(clusters.text)["resources"]
        known = {cluster["name"] for cluster in resources}
        return response(resources + [cluster for cluster in former if cluster["name"] not in known])


def _below(files: Mapping[str, File], *folders: str) -> dict[str, File]:
    return {path: file for path, file in files.items() if path.split("/")[0] in folders}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
