"""The ports: one listener each, with what holds for every request on it, and the counting of every attempt.

Two things are counted where they happen. *Attempts*, at their end, by the side of the task that was tried: how long it
took to answer, and, only when something was wrong, what. And *failures that users saw*, at the end of their request.
A good attempt costs one histogram with one tag, which is what keeps the counting cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tidegate.core.service import Listener
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.cookies import cookie_filter
from tidegate.drivers.envoy.failures import answered, failed, failed_or_unanswered
from tidegate.drivers.envoy.resource import TYPE, Json, file_source

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_REQUEST_ID = "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig"
_STATS_LOG = "envoy.extensions.access_loggers.stats.v3.Config"
_TLS = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"

_SIDE_TAG = {"name": "side", "value_format": "%UPSTREAM_HOST_NAME%"}
_WHAT_WENT_WRONG = [
    {"name": "code", "value_format": "%RESPONSE_CODE%"},
    {"name": "flags", "value_format": "%RESPONSE_FLAGS%"},
    {"name": "grpc", "value_format": "%GRPC_STATUS_NUMBER%"},
]

# WebSockets and gRPC streams may be idle for as long as they like. A peer that vanished is found by TCP's own probes.
_IDLE_STREAM = "0s"
_BUFFER = 1_048_576
_KEEPALIVE = ((1, 9, 1), (6, 4, 60), (6, 5, 20), (6, 6, 3))  # SO_KEEPALIVE, TCP_KEEPIDLE, _KEEPINTVL, _KEEPCNT


def listeners(ports: Sequence[Listener], run_dir: Path) -> list[Json]:
    """One listener for each of these, which differ in their port."""
    return [_listener(port, run_dir) for port in ports]


def _listener(listener: Listener, run_dir: Path) -> Json:
    chain: Json = {"filters": [_http(listener, run_dir)]}
    if listener.tls is not None:
        chain["transport_socket"] = _tls(listener.port, run_dir)
    return {
        "@type": TYPE + "envoy.config.listener.v3.Listener",
        "name": names.port_name(listener.port),
        "address": {"socket_address": {"address": listener.address, "port_value": listener.port}},
        "filter_chains": [chain],
        "per_connection_buffer_limit_bytes": _BUFFER,
        "socket_options": [
            {"level": level, "name": name, "int_value": value, "state": "STATE_PREBIND"} for level, name, value in _KEEPALIVE
        ],
    }


def _http(listener: Listener, run_dir: Path) -> Json:
    route_table = file_source(str(run_dir / names.rds_file(listener.port)))
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": TYPE + _HCM,
            "stat_prefix": "in",
            "rds": {"route_config_name": names.port_name(listener.port), "config_source": route_table},
            # Believes the connection's own address, and so no x-envoy-* header or request id of a client.
            "use_remote_address": True,
            "xff_num_trusted_hops": listener.trusted_hops,
            "normalize_path": True,
            "server_header_transformation": "PASS_THROUGH",
            "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "localhost"},
            "http2_protocol_options": {"allow_connect": True},
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "stream_idle_timeout": _IDLE_STREAM,
            "request_headers_timeout": "10s",
            # A new visitor's request id becomes his identity: it must be random in every bit.
            "request_id_extension": {
                "typed_config": {
                    "@type": TYPE + _REQUEST_ID,
                    "pack_trace_reason": False,
                    "use_request_id_for_trace_sampling": False,
                }
            },
            "access_log": [_seen()],
            "http_filters": [cookie_filter(), _router()],
        },
    }


def _router() -> Json:
    return {
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": TYPE + _ROUTER,
            # Envoy's own counts by status mix both sides once requests are retried, and cost more than ours.
            "dynamic_stats": False,
            "suppress_envoy_headers": True,
            "upstream_log": [_took(), _odd()],
        },
    }


def _took() -> Json:
    """Time from the request's first byte sent to the answer's first byte, for every attempt that was answered."""
    histogram = {
        "stat": {"name": names.TOOK, "tags": [_SIDE_TAG]},
        "unit": "Microseconds",
        "value_format": "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%",
    }
    return _log(answered(), {"histograms": [histogram]})


def _odd() -> Json:
    """What went wrong, for attempts that failed, or ended without an answer and so are not among those above."""
    return _log(failed_or_unanswered(), _counter(names.ODD, [_SIDE_TAG, *_WHAT_WENT_WRONG]))


def _seen() -> Json:
    """Failures as users saw them, by the cluster that they were routed to, and the side of the last attempt. The details
    tell of timeouts, of which an attempt knows nothing."""
    cluster = {"name": "cluster", "value_format": "%UPSTREAM_CLUSTER_RAW%"}
    details = {"name": "details", "value_format": "%RESPONSE_CODE_DETAILS%"}
    return _log(failed(), _counter(names.SEEN, [cluster, _SIDE_TAG, *_WHAT_WENT_WRONG, details]))


def _counter(name: str, tags: Sequence[Json]) -> Json:
    return {"counters": [{"stat": {"name": name, "tags": tags}, "value_fixed": 1}]}


def _log(condition: Json | None, counted: Json) -> Json:
    log: Json = {
        "name": "envoy.access_loggers.stats",
        "typed_config": {"@type": TYPE + _STATS_LOG, "stats_scope": {"prefix": names.SCOPE}, **counted},
    }
    return log if condition is None else log | {"filter": condition}


def _tls(port: int, run_dir: Path) -> Json:
    secret = {"name": names.port_name(port), "sds_config": file_source(str(run_dir / names.sds_file(port)))}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": TYPE + _TLS,
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "tls_certificate_sds_secret_configs": [secret],
            },
        },
    }
