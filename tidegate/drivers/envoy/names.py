"""The names that rendering writes and reading recognises again: clusters, runtime keys, statistics, files.

A service's name has no dot and no slash, so that each of these can be taken apart without doubt.
"""

from __future__ import annotations

from tidegate.ports import Slot

STABLE = Slot.STABLE.value
CANDIDATE = Slot.CANDIDATE.value
TESTER = "tester"
"""The candidate's tasks alone, without fallback, for requests that the force header sends there."""

ID_HEADER = "x-tidegate-id"
SIDE_HEADER = "x-tidegate-side"

METADATA = "tidegate"
SIDE = "side"
"""Key of metadata and tag of statistics that says whose an attempt is: `web/candidate/v2`."""

SCOPE = "gate"
"""First word of our own statistics."""
TOOK = "took"
ODD = "odd"
SEEN = "seen"

CDS_FILE = "cds/clusters.json"
LDS_FILE = "lds/listeners.json"
RTDS_FILE = "rtds/weights.json"
WEIGHTS = "weights"
"""Name of the runtime layer that holds the weights."""


def cluster(service: str, place: str) -> str:
    """`web.stable`, `web.candidate`, `web.tester`."""
    return f"{service}.{place}"


def side(service: str, place: str, version: str) -> str:
    return f"{service}/{place}/{version}"


def weight_prefix(service: str) -> str:
    return f"weight.{service}"


def weight_key(service: str, place: str) -> str:
    """The runtime key that Envoy looks up: the prefix, and then the cluster's name."""
    return f"{weight_prefix(service)}.{cluster(service, place)}"


def port_name(port: int) -> str:
    """Names the listener, the route table and the certificate of a port."""
    return f"port-{port}"


def rds_file(port: int) -> str:
    return f"rds/{port_name(port)}.json"


def eds_file(cluster_name: str) -> str:
    return f"eds/{cluster_name}.json"


def sds_file(port: int) -> str:
    return f"sds/{port_name(port)}.json"
