"""What Envoy is started with: where its files are, where its admin listens, and which statistics it keeps.

It never changes while Envoy lives; everything else comes through the watched files.
"""

from __future__ import annotations

from pathlib import Path

from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.resource import TYPE, Json, file_source

ADMIN_SOCKET = "admin.sock"
LOG = "envoy.log"

MAX_CONNECTIONS = 50_000

# Each statistic costs memory and time at every look. These are ours, the acknowledgements, and what a person
# would ask for at three in the morning.
_KEPT = (
    rf"^{names.SCOPE}\..*"
    r"|^(cluster_manager|listener_manager|runtime|server)\..*"
    r"|^http\.in\.(rds\..*|downstream_(rq|cx)_(total|active|1xx|2xx|3xx|4xx|5xx)|no_route)$"
    r"|^sds\..*"
    r"|^cluster\..+\.(update_success|update_rejected|update_failure|version_text|membership_(healthy|total)"
    r"|upstream_cx_(active|connect_fail|total)|upstream_rq_(active|total|retry|retry_overflow|timeout)"
    r"|outlier_detection\.ejections_(active|enforced_.*))$"
)


def bootstrap(run_dir: Path) -> Json:
    """The bootstrap for this run directory."""
    return {
        "node": {"id": "tidegate", "cluster": "tidegate"},
        "admin": {"address": {"pipe": {"path": str(run_dir / ADMIN_SOCKET), "mode": 0o600}}},
        "dynamic_resources": {
            "cds_config": file_source(str(run_dir / names.CDS_FILE)),
            "lds_config": file_source(str(run_dir / names.LDS_FILE)),
        },
        "layered_runtime": {"layers": [_weights(run_dir)]},
        "overload_manager": {"resource_monitors": [_connections()]},
        # Histograms are complete at every look, and nothing is flushed between.
        "stats_flush_on_admin": True,
        "stats_config": {
            "use_all_default_tags": False,
            "stats_matcher": {"inclusion_list": {"patterns": [{"safe_regex": {"regex": _KEPT}}]}},
        },
    }


def _weights(run_dir: Path) -> Json:
    source = file_source(str(run_dir / names.RTDS_FILE))
    return {"name": names.WEIGHTS, "rtds_layer": {"name": names.WEIGHTS, "rtds_config": source}}


def _connections() -> Json:
    name = "envoy.resource_monitors.global_downstream_max_connections"
    kind = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    return {
        "name": name,
        "typed_config": {"@type": TYPE + kind, "max_active_downstream_connections": MAX_CONNECTIONS},
    }
