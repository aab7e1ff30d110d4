"""Releases on an ECS that runs containers: ministack with a real Docker engine and a real registry. The load balancer is moto,
and `EnvoyForAlb` carries its users, as in the walk without containers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import boto3
import pytest

from tests.support.alb_shop import LINEAR, Shop, open_shop
from tests.support.aws_world import make_place
from tests.support.docker_engine import Docker, docker
from tests.support.emulators import KEYS, ministack
from tests.support.ports import free_port
from tests.support.walk import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

ANSWERS = """#!/bin/sh
{fault}
echo "x-version: $TIDEGATE_VERSION"
echo "Content-Type: text/plain"
echo
echo "hello"
"""
SOME_FAIL = 'if [ $((RANDOM % 10)) -lt 4 ]; then echo "Status: 500 Internal Server Error"; fi'
SERVES = "trap 'exit 0' TERM; /bin/busybox httpd -f -p 127.0.0.1:{port} -h /www & wait"
CRASHES = "echo 'DATABASE_URL is not set' >&2; exit 1"


@dataclass
class Harbour:
    shop: Shop
    docker: Docker
    ports: dict[str, int]

    def running(self) -> list[str]:
        """The versions of the containers that really run, by the revision of their task definition."""
        revisions = self.docker.running("com.amazonaws.ecs.task-definition-version")
        return [self._version(revision) for revision in revisions]

    def _version(self, revision: str) -> str:
        described = boto3.client("ecs").describe_task_definition(
            taskDefinition=f"{self.shop.place.family}:{revision}", include=["TAGS"]
        )
        return next((tag["value"] for tag in described["tags"] if tag["key"] == "tidegate:version"), "the template")


@pytest.fixture
def harbour(moto_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    directory = tmp_path_factory.mktemp("docker")
    with docker(directory) as engine, ministack(directory, engine.host) as url, pytest.MonkeyPatch.context() as patch:
        env = KEYS | {
            "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": moto_url,
            "AWS_ENDPOINT_URL_ECS": url,
            "AWS_ENDPOINT_URL_CLOUDWATCH": url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name, value in env.items():
            patch.setenv(name, value)
        ports = published(engine)
        repository = f"{engine.registry}/web"
        place = make_place(moto_url, f"{repository}:none", host=True, breaker=True)
        with open_shop(place, ports, directory / "envoy", repository) as shop:
            yield Harbour(shop, engine, ports)


def published(engine: Docker) -> dict[str, int]:
    """By image, the port on which its containers listen. v4 crashes until it is mended."""
    ports = {f"{engine.registry}/web:{version}": free_port() for version in ("v1", "v2", "v3", "v4")}
    for image, port in ports.items():
        if image.endswith("v4"):
            engine.publish(image, {}, CRASHES)
        else:
            publish(engine, image, port, SOME_FAIL if image.endswith("v3") else "")
    return ports


def publish(engine: Docker, image: str, port: int, fault: str = "") -> None:
    engine.publish(image, {"www/cgi-bin/index.cgi": ANSWERS.format(fault=fault)}, SERVES.format(port=port))


def test_containers_are_released_and_taken_back(harbour: Harbour) -> None:
    """One walk: to set it up takes longer than any part of it."""
    good_version_takes_the_place_of_the_other(harbour)
    failing_version_goes_back(harbour)
    crashing_version_is_given_up_by_ecs_and_nobody_was_let_in(harbour)
    image_that_nobody_can_pull_is_given_up_too(harbour)
    crashing_version_is_deployed_again_when_it_is_mended(harbour)


def good_version_takes_the_place_of_the_other(harbour: Harbour) -> None:
    shop = harbour.shop
    before = len(shop.visitors.visits)
    assert shop.deploy("v2", plan=LINEAR) == 0, shop.said
    shop.tidegate.tidied(shop.last(), within=120)
    until(lambda: harbour.running() == ["v2"], 60, "v1's container has ended", harbour.running)
    assert {visit.status for visit in shop.visitors.visits[before:]} == {200}, "a container ended while users came to it"


def failing_version_goes_back(harbour: Harbour) -> None:
    shop = harbour.shop
    assert shop.deploy("v3") == 3, shop.said
    shop.told(shop.last(), "our comparison", shop.gone("v3"))
    shop.tidegate.tidied(shop.last(), within=120)


def crashing_version_is_given_up_by_ecs_and_nobody_was_let_in(harbour: Harbour) -> None:
    is_given_up(harbour, "v4", "consecutive task failures; its last task: .*web: exit code 1")


def image_that_nobody_can_pull_is_given_up_too(harbour: Harbour) -> None:
    is_given_up(harbour, "v5", "image digest resolution.*CannotPull")


def is_given_up(harbour: Harbour, version: str, why: str) -> None:
    """ECS goes back to what its service ran before, v3 by now. That one must not be left running."""
    shop = harbour.shop
    before = len(shop.visitors.visits)
    assert shop.deploy(version) == 3, shop.said
    assert re.search(rf"Why: {version} did not become healthy: .*circuit breaker.*{why}", shop.said), shop.said
    assert "No request reached it." in shop.said
    shop.tidegate.tidied(shop.last(), within=120)
    until(lambda: harbour.running() == ["v2"], 60, "nothing else runs", harbour.running)
    visits = shop.visitors.visits[before:]
    assert {(visit.version, visit.status) for visit in visits} == {("v2", 200)}


def crashing_version_is_deployed_again_when_it_is_mended(harbour: Harbour) -> None:
    shop, image = harbour.shop, f"{harbour.shop.repository}:v4"
    publish(harbour.docker, image, harbour.ports[image])
    assert shop.deploy("v4", plan=LINEAR) == 0, shop.said
    shop.tidegate.tidied(shop.last(), within=120)
    until(lambda: harbour.running() == ["v4"], 60, "v2's container has ended", harbour.running)
