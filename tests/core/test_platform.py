"""The service file of a service on Amazon ECS."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.core.document import read
from tidegate.core.errors import Invalid
from tidegate.core.service import Service, same_listener

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012"
ECS: dict[str, Any] = {
    "cluster": "shop",
    "services": ["web-blue", "web-green"],
    "target_groups": [f"{ARN}:targetgroup/web-blue/6d0ecf831eec9f09", f"{ARN}:targetgroup/web-green/2453ed029918f21f"],
    "listener_rule": f"{ARN}:listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",
}
TASKS = {"ecs": {"task_definition": "web:7", "images": {"web": "shop/web:1"}}, "count": 4}


def file(**changes: Any) -> dict[str, Any]:
    return {"service": "web", "platform": {"ecs": ECS}, "tasks": TASKS, "compare": "off"} | changes


def ecs(**changes: Any) -> dict[str, Any]:
    return {"platform": {"ecs": ECS | changes}}


def own(**changes: Any) -> dict[str, Any]:
    both = {name: f'cloudwatch:Shop/{name.title()}{{Version="{{version}}"}}' for name in ("requests", "failed")}
    return both | {"period": "5s"} | changes


def test_without_a_word_errors_are_compared_on_the_load_balancers_counts() -> None:
    content = file()
    del content["compare"]
    service = read(Service, content, "web.yaml")
    assert service.platform is not None
    assert (service.compare.errors is not None, service.compare.latency) == (True, None)
    assert service.platform.ecs.counted_by is not None
    assert service.platform.ecs.counted_by.period.total_seconds() == 60


def test_counts_may_be_switched_off_as_yaml_reads_it() -> None:
    service = read(Service, file(**ecs(counts=False)), "web.yaml")
    assert service.platform is not None
    assert service.platform.ecs.counted_by is None


def test_it_needs_no_listener_and_is_read_again_as_it_was_written() -> None:
    service = read(Service, file(), "web.yaml")
    assert Service.model_validate_json(service.model_dump_json()) == service


def test_two_of_them_never_collide_in_a_listener() -> None:
    same_listener(read(Service, file(), "web.yaml"), read(Service, file(service="api"), "api.yaml"))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"listener": {"port": 80}}, "there is a listener"),
        ({"compare": {"latency": {}}}, "latency cannot be compared"),
        (ecs(counts="off") | {"compare": {"latency": "off"}}, "nobody counts requests"),
        ({"compare": {"latency": "off"}, "plan": {"adaptive": {"harm": 10}}}, "an adaptive plan goes by the second"),
        (ecs(counts=own(requests="requests")), "none of CloudWatch's"),
        (ecs(counts=own(failed="cloudwatch:Shop/Failed")), "the same for both sides"),
        (ecs(counts=own(period="7s")), "nobody counts here by 7s"),
        (ecs(counts=own(late="1h")), "no time to wait"),
        ({"tasks": {"command": ["web"]}}, "there is platform, and no tasks.ecs"),
        ({"platform": None, "listener": {"port": 80}}, "there is tasks.ecs, and no platform"),
        ({"alarms": [{"name": "a", "metric": "p99", "above": "1s"}]}, "looks at p99, which nobody counts"),
        (ecs(services=["web", "web"]), "both services are the same"),
        (ecs(services=["web"]), "at least 2"),
        (ecs(listener_rule=f"{ARN}:listener/app/shop/1/2"), "should match pattern"),
        (ecs(sticky="8d"), "from 1s to 7d"),
        ({"tasks": {"ecs": {"task_definition": "web", "images": {"web": "x"}}}}, "should match pattern"),
        ({"tasks": {"ecs": {"task_definition": "web:7", "images": {}}}}, "at least 1"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_cannot_be_there_is_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(Service, file(**changes), "web.yaml")
    assert what in str(refused.value)
