"""Releases on ECS behind an ALB, with traffic, by the commands of a person: a real Tidegate, ECS and CloudWatch by ministack,
the load balancer by moto, and `EnvoyForAlb` in the place of what neither has: users carried by weights and cookies, and tasks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import boto3
import pytest

from tests.support.alb_shop import LINEAR, Shop, open_shop
from tests.support.aws_world import make_place
from tests.support.backend import Backend, Fault
from tests.support.emulators import KEYS
from tests.support.walk import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
IMAGES = ("shop/web:v1", "shop/web:v2", "shop/web:v3")


@pytest.fixture
def shop(moto_url: str, ministack_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    env = KEYS | {
        "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": moto_url,
        "AWS_ENDPOINT_URL_ECS": ministack_url,
        "AWS_ENDPOINT_URL_CLOUDWATCH": ministack_url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        place = make_place(moto_url)
        tasks = {image: Backend(image.rpartition(":")[2]) for image in IMAGES}
        tasks["shop/web:v3"].fault = Fault("500", share=0.4)
        with tasks[IMAGES[0]], tasks[IMAGES[1]], tasks[IMAGES[2]]:
            ports = {image: task.port for image, task in tasks.items()}
            with open_shop(place, ports, tmp_path_factory.mktemp("alb") / "envoy") as shop:
                yield shop


def test_a_good_version_stays_and_bad_ones_go_back_through_an_envoy_that_stands_in_for_the_alb(shop: Shop) -> None:
    """One walk: to set it up takes longer than any part of it."""
    good_version_goes_all_the_way(shop)
    bad_version_goes_back_by_our_comparison(shop)
    bad_version_goes_back_by_cloudwatchs_own_alarm(shop)


def good_version_goes_all_the_way(shop: Shop) -> None:
    before = len(shop.visitors.visits)
    assert shop.deploy("v2", plan=LINEAR) == 0, shop.said
    seen = shop.tidegate.tidied(shop.last(), within=120)
    last = max(visit.at for visit in shop.of("v1"))
    assert {visit.version for visit in shop.visitors.visits if visit.at > last + 1} == {"v2"}
    assert {visit.status for visit in shop.visitors.visits[before:]} == {200}, "a task ended while users came to it"
    assert (seen["harm"]["failed"], seen["harm"]["requests"] > 100) == (0, True)


def bad_version_goes_back_by_our_comparison(shop: Shop) -> None:
    assert shop.deploy("v3") == 3, shop.said
    assert "comparison" in shop.said
    visits = shop.gone("v3")
    assert any(visit.pinned for visit in visits)
    shop.told(shop.last(), "our comparison", visits)


def bad_version_goes_back_by_cloudwatchs_own_alarm(shop: Shop) -> None:
    client, name = boto3.client("cloudwatch"), f"{shop.place.cluster}-failed"
    client.put_metric_alarm(
        AlarmName=name,
        Namespace=shop.place.cluster,
        MetricName="Failed",
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    until(lambda: client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"] == "OK", 60, "it is calm")
    alarm, before = {"name": "five", "cloudwatch": name, "missing": "not_breaching"}, len(shop.of("v3"))
    assert shop.deploy("v3", compare="off", alarms=[alarm]) == 3, shop.said
    assert re.search(r"five: CloudWatch's alarm \S+\s+is\s+ALARM", shop.said)
    shop.told(shop.last(), "CloudWatch's alarm", shop.gone("v3")[before:])
