"""What Envoy acknowledges: the version of each file that is in force, and how many it refused.

Envoy tells them as statistics, one set for each subscription; here they are by the file's path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.drivers.envoy import names

_WORDS = r"(version_text|update_rejected|update_failure)"
ACKS = rf"^(cluster_manager\.cds|listener_manager\.lds|runtime|http\.in\.rds\.port-[0-9]+|cluster\.[^.]+\.[a-z]+)\.{_WORDS}$"
_STAT = re.compile(rf"(?P<about>.+)\.{_WORDS}")


@dataclass(frozen=True, slots=True)
class Ack:
    """One file as Envoy sees it. `refused` only grows."""

    version: str = ""
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Acks:
    by_path: Mapping[str, Ack] = field(default_factory=dict)

    def of(self, path: str) -> Ack:
        return self.by_path.get(path, Ack())


def read_acks(stats: Iterable[Mapping[str, Any]]) -> Acks:
    """From the list `stats` of Envoy's JSON."""
    versions: dict[str, str] = {}
    refused: dict[str, int] = {}
    for stat in stats:
        found = _STAT.fullmatch(stat.get("name", ""))
        path = found and path_of(found["about"])
        if not found or not path:
            continue
        if found[2] == "version_text":
            versions[path] = str(stat["value"])
        else:
            refused[path] = refused.get(path, 0) + int(stat["value"])
    return Acks({path: Ack(versions.get(path, ""), refused.get(path, 0)) for path in versions.keys() | refused.keys()})


def path_of(about: str) -> str | None:
    """The file behind a subscription's statistics, as `http.in.rds.port-80`."""
    match about.split("."):
        case ["cluster_manager", "cds"]:
            return names.CDS_FILE
        case ["listener_manager", "lds"]:
            return names.LDS_FILE
        case ["runtime"]:
            return names.RTDS_FILE
        case ["http", "in", "rds", name]:
            return f"rds/{name}.json"
        case ["cluster", service, place]:
            return names.eds_file(names.cluster(service, place))
    return None
