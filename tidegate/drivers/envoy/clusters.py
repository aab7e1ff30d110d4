"""The target groups of a service as Envoy's clusters: how tasks are reached, checked and, in the slot, braked.

A cluster changes only with the service file. Its tasks are in `endpoints.py`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tidegate.core.service import Health, Service, Tasks
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.resource import TYPE, Json, file_source, seconds
from tidegate.drivers.envoy.retries import for_slot
from tidegate.drivers.envoy.spoken import slot_tasks, stable_tasks
from tidegate.ports import Routing

_CONNECT_WITHIN = timedelta(seconds=1)

# Below the keep-alive of common servers (2 s and more): a connection that the task is about to close is not used.
_IDLE = timedelta(seconds=1.5)

CONSECUTIVE = 5
"""So many failures in a row take a candidate's task out for a while."""

# Envoy's default of 3 retries at once would let failures through as soon as there is traffic.
_UNLIMITED = 1_000_000

_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def clusters(routing: Routing, run_dir: Path) -> list[Json]:
    """The stable side and the candidate's slot, and the testers' way in when it is configured."""
    service, stable, slot = routing.service, stable_tasks(routing), slot_tasks(routing)
    found = [_stable(service, stable, run_dir), _candidate(service, slot, run_dir)]
    if service.force is not None:
        found.append(_cluster(service, slot, names.TESTER, run_dir))
    return found


def _stable(service: Service, tasks: Tasks, run_dir: Path) -> Json:
    return _cluster(service, tasks, names.STABLE, run_dir) | {
        "health_checks": [_health_check(tasks)],
        "common_lb_config": _health_counts(),
    }


def _candidate(service: Service, tasks: Tasks, run_dir: Path) -> Json:
    protocol = _protocol(tasks) | {"retry_policy": for_slot()}
    return _cluster(service, tasks, names.CANDIDATE, run_dir) | {
        "typed_extension_protocol_options": {_HTTP: protocol},
        "health_checks": [_health_check(tasks)],
        "common_lb_config": _health_counts(),
        "outlier_detection": _brake(),
    }


def _cluster(service: Service, tasks: Tasks, place: str, run_dir: Path) -> Json:
    name = names.cluster(service.service, place)
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), _UNLIMITED)
    return {
        "@type": TYPE + "envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": file_source(str(run_dir / names.eds_file(name)))},
        "connect_timeout": seconds(_CONNECT_WITHIN),
        "lb_policy": "MAGLEV" if service.stickiness.to_task else "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [limits]},
        # A task that was taken out gets nothing more, however healthy it is.
        "ignore_health_on_host_removal": True,
        "track_cluster_stats": {"per_endpoint_stats": True},
        "typed_extension_protocol_options": {_HTTP: _protocol(tasks)},
    }


def _protocol(tasks: Tasks) -> Json:
    http1: Json = {"http_protocol_options": {}}
    http2: Json = {"http2_protocol_options": {"allow_connect": True}}
    return {
        "@type": TYPE + _HTTP,
        "common_http_protocol_options": {"idle_timeout": seconds(_IDLE)},
        "explicit_http_config": http1 if tasks.protocol == "http1" else http2,
    }


def _health_check(tasks: Tasks) -> Json:
    """The check of the service file, made by Envoy as well, so that a dead task leaves without us."""
    health = tasks.health
    check = {
        "timeout": seconds(health.timeout),
        "interval": seconds(health.interval),
        "no_traffic_interval": seconds(health.interval),
        "healthy_threshold": health.healthy_after,
        "unhealthy_threshold": health.unhealthy_after,
        # A server of one thread must not be held by an idle check.
        "reuse_connection": False,
    }
    return check | _question(health, tasks.protocol)


def _question(health: Health, protocol: str) -> Json:
    if health.path is None or protocol == "grpc":
        return {"tcp_health_check": {}}
    codec = "HTTP2" if protocol == "http2" else "HTTP1"
    good = [{"start": 200, "end": 400}]
    return {
        "http_health_check": {
            "host": "localhost",
            "path": health.path,
            "expected_statuses": good,
            "codec_client_type": codec,
        }
    }


def _health_counts() -> Json:
    """When no task at all is left, in the slot neither the candidate's nor the stable side's, trying them is better than
    refusing everybody. As long as one is healthy, none that is held back gets anything.

    What a check finds counts at once: by default Envoy gathers such news for a second, in which a new task gets nothing,
    and a whole new group answers 503.
    """
    return {"healthy_panic_threshold": {"value": 1}, "update_merge_window": "0s"}


def _brake() -> Json:
    """Five failures on end and a task gets nothing for a while: the brake that needs no controller.

    Resets are counted with the answers of 5xx. Envoy could keep its own failures apart, but then a connection that
    opens well and is reset a moment later would never add up to five. `ejections.py` tells the kinds apart.
    """
    return {
        "consecutive_5xx": CONSECUTIVE,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "interval": "1s",
        "base_ejection_time": "30s",
        "max_ejection_percent": 100,
        # A task may well pass its check while it fails its requests.
        "successful_active_health_check_uneject_host": False,
    }
