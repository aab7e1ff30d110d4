"""Back by an alarm that nobody sets: localemu's CloudWatch follows the figures that come, ECS is ministack, and users are
carried by `EnvoyForAlb` in the place of ALB's data plane.

Where no Python is found that localemu starts with, CloudWatch and the load balancer are moto, which evaluates nothing: there
the test sets the state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import pytest

from tests.support.alb_shop import Shop, open_shop
from tests.support.aws_world import Place, make_place
from tests.support.backend import Backend, Fault
from tests.support.emulators import KEYS
from tests.support.localemu import is_there
from tests.support.walk import until
from tidegate.core.alarm_state import AlarmState
from tidegate.drivers.aws.alb_seen import forwarding
from tidegate.drivers.aws.calls import Calls
from tidegate.drivers.aws.cloudwatch import CloudWatch

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
PERIOD = 10
LONG = {"canary": {"first": "20%", "hold": "3m"}, "bake": "3s", "keep_baseline": "1s"}


def alarm(name: str, group: str, *, of: int, datapoints: int, missing: str = "notBreaching", namespace: str = "") -> None:
    """On the failed requests of one target group."""
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace=namespace,
        MetricName="Failed",
        Dimensions=[{"Name": "TargetGroup", "Value": group}],
        Statistic="Sum",
        Period=PERIOD,
        EvaluationPeriods=of,
        DatapointsToAlarm=datapoints,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData=missing,
    )


def publish(namespace: str, group: str, values: Sequence[float]) -> None:
    """Of the periods before now, the newest last."""
    now = datetime.now(UTC)
    data = [
        {
            "MetricName": "Failed",
            "Dimensions": [{"Name": "TargetGroup", "Value": group}],
            "Timestamp": now - timedelta(seconds=PERIOD * (number + 0.5)),
            "Value": value,
            "Unit": "Count",
            "StorageResolution": 1,
        }
        for number, value in enumerate(reversed(values))
    ]
    boto3.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)


def test_alarms_are_read_as_the_figures_make_them_by_dimension_datapoints_and_what_is_missing(
    localemu_url: str, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", localemu_url)
    name = f"Seen{time.time_ns()}"
    publish(name, "blue", [9, 0, 9])
    publish(name, "green", [9, 0, 0])
    wanted: dict[str, tuple[str, str, AlarmState]] = {
        "two-of-three": ("blue", "notBreaching", AlarmState.ALARM),
        "one-of-three": ("green", "notBreaching", AlarmState.OK),
        "nothing-is-fine": ("nobody", "notBreaching", AlarmState.OK),
        "nothing-is-bad": ("nobody", "breaching", AlarmState.ALARM),
        "nothing-is-nothing": ("nobody", "missing", AlarmState.INSUFFICIENT_DATA),
    }
    for kind, (group, missing, _) in wanted.items():
        alarm(f"{name}-{kind}", group, of=3, datapoints=2, missing=missing, namespace=name)
    cloudwatch = CloudWatch(Calls)
    states = {f"{name}-{kind}": state for kind, (_, _, state) in wanted.items()}
    until(lambda: cloudwatch.states(list(states)) == states, 60, "they are evaluated", lambda: cloudwatch.states(list(states)))


@dataclass
class Alarmed:
    shop: Shop
    judged: AbstractContextManager[None]
    """Whoever sets the alarm beside it, where nobody evaluates it."""


@pytest.fixture(params=["localemu", "moto"])
def alarmed(
    request: pytest.FixtureRequest, ministack_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Alarmed]:
    evaluates = request.param == "localemu"
    if not evaluates and is_there():
        pytest.skip("localemu evaluates it by itself")
    url = request.getfixturevalue(f"{request.param}_url")
    ends = {"ELASTIC_LOAD_BALANCING_V2": url, "CLOUDWATCH": url, "ECS": ministack_url}
    for name, value in (KEYS | {f"AWS_ENDPOINT_URL_{service}": end for service, end in ends.items()}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    place = make_place(url)
    for number, group in enumerate(place.groups):
        alarm(f"{place.cluster}-{number}", group.rpartition(":")[2], of=2, datapoints=1, namespace=place.cluster)
    with Backend("v1") as good, Backend("v3", fault=Fault("500", share=0.4)) as bad:
        ports = {"shop/web:v1": good.port, "shop/web:v3": bad.port}
        with open_shop(place, ports, tmp_path / "envoy") as shop:
            yield Alarmed(shop, nullcontext() if evaluates else set_when_it_fails(shop))


@contextmanager
def set_when_it_fails(shop: Shop) -> Iterator[None]:
    """In the place of an evaluation."""
    done = threading.Event()
    client = boto3.client("cloudwatch")

    def run() -> None:
        while not done.wait(0.2):
            failed = sum(visit.status >= 500 for visit in shop.of("v3"))
            client.set_alarm_state(
                AlarmName=f"{shop.place.cluster}-1", StateValue="ALARM" if failed > 5 else "OK", StateReason="a test says so"
            )

    client.set_alarm_state(AlarmName=f"{shop.place.cluster}-0", StateValue="OK", StateReason="a test says so")
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(30)


class Watched:
    """What AWS says of both weights, and how many tasks of the second side are wanted: each time that it is something else."""

    def __init__(self, place: Place) -> None:
        self.seen: list[tuple[tuple[int, int], int]] = []
        self._place = place
        self._elb, self._ecs = boto3.client("elbv2"), boto3.client("ecs")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._done.wait(0.1):
            # The count first: whoever lost his tasks in between has lost his weight before.
            found = self._ecs.describe_services(cluster=self._place.cluster, services=[self._place.services[1]])
            weights, _ = forwarding(self._elb.describe_rules(RuleArns=[self._place.rule])["Rules"][0]["Actions"])
            now = (weights[self._place.groups[0]], weights[self._place.groups[1]]), found["services"][0]["desiredCount"]
            if not self.seen or self.seen[-1] != now:
                self.seen.append(now)


def test_a_bad_version_goes_back_weights_first_by_an_alarm_on_the_figures_that_an_envoy_instead_of_the_alb_publishes(
    alarmed: Alarmed,
) -> None:
    shop, names = alarmed.shop, [f"{alarmed.shop.place.cluster}-{number}" for number in (0, 1)]
    cloudwatch, watched = CloudWatch(Calls), Watched(shop.place)
    with alarmed.judged:
        calm = dict.fromkeys(names, AlarmState.OK)
        until(lambda: cloudwatch.states(names) == calm, 90, "both are calm", lambda: cloudwatch.states(names))
        alarms: list[dict[str, Any]] = [{"name": name, "cloudwatch": name, "missing": "not_breaching"} for name in names]
        with watched:
            code = shop.deploy("v3", plan=LONG, compare="off", alarms=alarms)
            visits = shop.gone("v3")
    assert code == 3, shop.said
    rollout = shop.tidegate.rollout(shop.last())
    assert f"{names[1]}: CloudWatch's alarm {names[1]} is ALARM" in rollout["reason"]
    assert cloudwatch.states(names)[names[0]] is AlarmState.OK  # the same figure of the other group
    assert ((800, 200), 1) in watched.seen
    assert ((800, 200), 0) not in watched.seen, "its tasks went before the weights were back"
    assert watched.seen[-1][0] == (999, 0)
    shop.told(shop.last(), "an alarm that CloudWatch evaluated" if is_there() else "an alarm that was set", visits)
