"""Which request goes to which side: the route table of a port.

For each service the same request is tried in this order, and the first that fits wins:

    a tester's header        (only when it is configured, with its secret)
    the user's id header     hash of salt:id
    the sticky cookie        hash of salt:id
    a new visitor            hash of salt:this request's id, which becomes his cookie

each once for methods that may be repeated, whose failures on the candidate are retried on the stable side, and once for
those that may not. The weights here give everything to the stable side; Envoy takes the real ones from its runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.core.exposure import WHOLE
from tidegate.core.service import Stickiness
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.cookies import cookie_reading
from tidegate.drivers.envoy.hosts import by_host
from tidegate.drivers.envoy.resource import TYPE, Json, seconds
from tidegate.drivers.envoy.retries import for_all, for_repeatable
from tidegate.drivers.envoy.spoken import slot_tasks, speaks_grpc
from tidegate.ports import Routing

_REPEATABLE = "GET|HEAD|OPTIONS|PUT|DELETE|TRACE"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_COOKIE_AGE = 34_560_000  # 400 days, the longest that browsers keep one

_SIDES = {names.CANDIDATE: "candidate", names.TESTER: "candidate", names.STABLE: "baseline"}


def route_table(port: int, routings: Sequence[Routing]) -> list[Json]:
    """The table of one port. Hosts are matched exactly first; within a host the longest path wins."""
    return [
        {
            "@type": TYPE + "envoy.config.route.v3.RouteConfiguration",
            "name": names.port_name(port),
            "virtual_hosts": [_virtual_host(host, found) for host, found in by_host(routings)],
            "ignore_port_in_host_matching": True,
            # An unknown cluster is an error now, not a 503 for users later.
            "validate_clusters": True,
            "metadata": {"filter_metadata": {names.METADATA: {each.service.service: each.salt for each in routings}}},
        }
    ]


def salts_in(resources: Sequence[Json]) -> dict[str, str]:
    """The salt of each service in a route table."""
    return dict(resources[0]["metadata"]["filter_metadata"][names.METADATA])


def _virtual_host(host: str, routings: Sequence[Routing]) -> Json:
    return {
        "name": host,
        "domains": [host],
        "routes": [route for routing in routings for route in _routes(routing)],
        "retry_policy": for_all(),
    }


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to know a user: what a request must have, what is hashed, and how the id is written for the task."""

    name: str
    match: Json
    hash_header: str
    pattern: str
    substitution: str
    id: str
    set_cookie: str | None = None
    filters: Json | None = None


def _ways(stickiness: Stickiness, salt: str) -> list[_Way]:
    # A backslash is the one character that means something in a substitution.
    prefix = salt.replace("\\", "\\\\") + ":"
    ways = []
    if stickiness.header is not None:
        # The empty pattern puts the salt before whatever bytes there are; `.*` would stop at bytes that are not UTF-8.
        match = {"headers": [_not_empty(stickiness.header)]}
        ways.append(_Way("user", match, stickiness.header, "^", prefix, f"%REQ({stickiness.header})%"))
    if stickiness.cookie is not None:
        name = stickiness.cookie
        match = {"cookies": [{"name": name, "string_match": {"safe_regex": {"regex": _UUID}}}]}
        pattern = rf'^(?:\C*?;)??\s*{name}="?({_UUID})"?\s*(?:;\C*)?$'
        known = f"%DYNAMIC_METADATA({names.METADATA}:id)%"
        ways.append(_Way("cookie", match, "cookie", pattern, prefix + r"\1", known, filters=cookie_reading(name)))
    ways.append(_Way("visitor", {}, "x-request-id", "^", prefix, "%REQ(x-request-id)%", _set_cookie(stickiness)))
    return ways


def _not_empty(header: str) -> Json:
    return {
        "name": header,
        "string_match": {"exact": ""},
        "invert_match": True,
        "treat_missing_header_as_empty": True,
    }


def _set_cookie(stickiness: Stickiness) -> str | None:
    if stickiness.cookie is None:
        return None
    secure = "; Secure" if stickiness.cookie_secure else ""
    rest = f"Path=/; Max-Age={_COOKIE_AGE}; HttpOnly; SameSite=Lax{secure}"
    return f"{stickiness.cookie}=%REQ(x-request-id)%; {rest}"


def _routes(routing: Routing) -> list[Json]:
    service = routing.service
    ways = _ways(service.stickiness, routing.salt)
    routes = []
    if service.force is not None:
        for place, word in ((names.TESTER, "candidate"), (names.STABLE, "baseline")):
            routes += [_forced(routing, way, place, f"{word} {service.force.secret}") for way in ways]
    for way in ways:
        routes += [_weighted(routing, way, repeatable=True), _weighted(routing, way, repeatable=False)]
    return routes


def _weighted(routing: Routing, way: _Way, *, repeatable: bool) -> Json:
    service = routing.service.service
    method = {"name": ":method", "string_match": {"safe_regex": {"regex": _REPEATABLE}}}
    route = _route(routing, way, [method] if repeatable else [])
    route["name"] = f"{service} {way.name}" + (" repeatable" if repeatable else "")
    if repeatable:
        route["route"]["retry_policy"] = for_repeatable()
    route["route"]["weighted_clusters"] = {
        "clusters": [
            _leg(routing, names.CANDIDATE, 0, repeatable=repeatable),
            _leg(routing, names.STABLE, WHOLE),
        ],
        "use_hash_policy": True,
        "runtime_key_prefix": names.weight_prefix(service),
    }
    return route


def _forced(routing: Routing, way: _Way, place: str, value: str) -> Json:
    """`value`: what a tester's header must say."""
    force = routing.service.force
    asked = [{"name": force.header, "string_match": {"exact": value}}] if force else []
    route = _route(routing, way, asked)
    route["name"] = f"{routing.service.service} {way.name} forced {_SIDES[place]}"
    route["route"]["weighted_clusters"] = {"clusters": [_leg(routing, place, 1)]}
    return route


def _route(routing: Routing, way: _Way, headers: Sequence[Json]) -> Json:
    service = routing.service
    match = dict(way.match) | _path(service.listener.path)
    match["headers"] = [*headers, *way.match.get("headers", [])]
    route: Json = {
        "match": {key: value for key, value in match.items() if value},
        "route": {"hash_policy": [_hash(way)], **_timeouts(routing)},
        "request_headers_to_add": [_header(names.ID_HEADER, way.id)],
    }
    if service.force is not None:
        route["request_headers_to_remove"] = [service.force.header]
    if way.filters is not None:
        route["typed_per_filter_config"] = way.filters
    if way.set_cookie is not None:
        route["response_headers_to_add"] = [
            _header("set-cookie", way.set_cookie) | {"append_action": "APPEND_IF_EXISTS_OR_ADD"}
        ]
    return route


def _path(path: str) -> Json:
    bare = path.rstrip("/")
    return {"path_separated_prefix": bare} if bare else {"prefix": "/"}


def _timeouts(routing: Routing) -> Json:
    """gRPC streams end by their own deadline; other requests by the listener's."""
    if speaks_grpc(routing):
        return {"timeout": "0s", "max_stream_duration": {"grpc_timeout_header_max": "0s"}}
    return {"timeout": seconds(routing.service.listener.timeout)}


def _hash(way: _Way) -> Json:
    rewrite = {"pattern": {"regex": way.pattern}, "substitution": way.substitution}
    return {"header": {"header_name": way.hash_header, "regex_rewrite": rewrite}, "terminal": True}


def _leg(routing: Routing, place: str, weight: int, *, repeatable: bool = False) -> Json:
    """One side of a route, with the headers for its tasks, and what only the candidate's failures are retried for."""
    headers = [_header(names.SIDE_HEADER, _SIDES[place])]
    if place == names.CANDIDATE and repeatable:
        headers.append(_header("x-envoy-retry-on", "5xx"))
    if place == names.CANDIDATE and slot_tasks(routing).protocol == "grpc":
        # gRPC's own sign that a call may be tried again, and the only one.
        headers.append(_header("x-envoy-retry-grpc-on", "unavailable"))
    name = names.cluster(routing.service.service, place)
    return {"name": name, "weight": weight, "request_headers_to_add": headers}


def _header(key: str, value: str) -> Json:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
