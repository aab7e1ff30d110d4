"""A role that is assumed, over moto's STS: boto3's own credentials, behind a proxy that notes whose key signed each request."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.core.test_platform import ECS, file
from tests.support.fault_proxy import FaultProxy
from tidegate.core.access import Access
from tidegate.core.document import read
from tidegate.core.errors import Refused, Unreachable
from tidegate.core.service import Service
from tidegate.drivers.aws.call import Call, Caller
from tidegate.drivers.aws.calls import Calls
from tidegate.drivers.aws.pilots import pilots

pytestmark = pytest.mark.real
ROLE = "arn:aws:iam::210987654321:role/releases/tidegate"
WHO, ALARMS = Call("sts", "get_caller_identity"), Call("cloudwatch", "describe_alarms")


class Time:
    """The clock of this machine; AWS has its own."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def proxy(moto_url: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with FaultProxy({}, otherwise=moto_url) as proxy:
        for service in ("STS", "CLOUDWATCH"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", proxy.url)
        yield proxy


@pytest.fixture
def calls(proxy: FaultProxy, time: Time) -> Calls:
    return Calls(Access("eu-west-1", ROLE, "shop/prod"), time)


def assumed(proxy: FaultProxy) -> int:
    """How often it was."""
    return sum(one.operation == "AssumeRole" for one in proxy.noted)


def keys_of(proxy: FaultProxy, operation: str) -> set[str]:
    return {one.key for one in proxy.noted if one.operation == operation}


def test_everything_is_signed_by_the_role_in_a_session_with_the_name_of_the_environment(
    proxy: FaultProxy, calls: Calls
) -> None:
    assert calls.do(WHO)["Arn"] == "arn:aws:sts::210987654321:assumed-role/tidegate/tidegate-shop-prod"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: calls.do(ALARMS), range(24)))
    (key,) = keys_of(proxy, "DescribeAlarms")
    assert key.startswith("ASIA")
    assert keys_of(proxy, "GetCallerIdentity") == {key}
    assert keys_of(proxy, "AssumeRole") == {"test"}
    assert assumed(proxy) == 1
    assert {one.region for one in proxy.noted} == {"eu-west-1"}


def test_nothing_is_assumed_before_something_is_asked_for(proxy: FaultProxy, calls: Calls) -> None:
    assert calls.region == "eu-west-1"
    assert proxy.noted == []


def test_many_threads_at_once_assume_it_once(proxy: FaultProxy, calls: Calls) -> None:
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: calls.do(ALARMS), range(16)))
    assert assumed(proxy) == 1


def test_it_is_assumed_again_before_it_ends(proxy: FaultProxy, calls: Calls, time: Time) -> None:
    calls.do(ALARMS)
    time.ahead = timedelta(minutes=40)
    calls.do(ALARMS)
    assert assumed(proxy) == 1
    time.ahead = timedelta(minutes=46)
    calls.do(ALARMS)
    assert assumed(proxy) == 2
    assert len(keys_of(proxy, "DescribeAlarms")) == 2


def test_while_it_cannot_be_renewed_what_is_still_good_is_used_and_then_nothing(
    proxy: FaultProxy, calls: Calls, time: Time
) -> None:
    calls.do(ALARMS)
    proxy.denied = "AssumeRole"
    time.ahead = timedelta(minutes=46)
    calls.do(ALARMS)
    assert len(keys_of(proxy, "DescribeAlarms")) == 1
    time.ahead = timedelta(minutes=51)
    with pytest.raises(Refused, match="does not let us assume the role"):
        calls.do(ALARMS)
    proxy.denied = ""
    calls.do(ALARMS)
    assert len(keys_of(proxy, "DescribeAlarms")) == 2


def test_who_may_not_assume_it_is_told_what_the_role_and_he_need(proxy: FaultProxy, calls: Calls) -> None:
    proxy.denied = "AssumeRole"
    with pytest.raises(Refused) as refused:
        calls.do(ALARMS)
    assert f"AWS does not let us assume the role {ROLE}: User: arn:aws:iam::000000000000:user/ann is" in refused.value.what
    assert refused.value.mend == (
        "The role has to trust whoever runs the controller, and he needs sts:AssumeRole for it: tidegate aws plan prints both."
    )
    assert keys_of(proxy, "DescribeAlarms") == set()


def test_an_sts_that_does_not_answer_is_no_refusal(proxy: FaultProxy, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    with pytest.raises(Unreachable):
        calls.do(ALARMS)


def test_a_clock_that_is_wrong_by_hours_is_said(calls: Calls, time: Time) -> None:
    time.ahead = timedelta(hours=2)
    with pytest.raises(Unreachable, match="STS gave credentials that ended at") as wrong:
        calls.do(ALARMS)
    assert wrong.value.mend == "Set the clock of this machine right."


def test_without_credentials_of_its_own_nobody_assumes_a_role(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    with pytest.raises(Refused, match="There are no credentials"):
        Calls(Access("eu-west-1", ROLE, "web")).do(ALARMS)
    assert proxy.noted == []


@pytest.mark.parametrize(
    "platform",
    [
        {"ecs": ECS | {"region": "eu-west-1", "role": ROLE}},
        {"codedeploy": {"application": "shop", "deployment_group": "web", "container": "web", "port": 80, "role": ROLE}},
    ],
    ids=lambda platform: next(iter(platform)),
)
def test_a_pilot_asks_with_the_access_of_its_file(platform: dict[str, Any]) -> None:
    service = read(Service, file(platform=platform, plan="all_at_once"), "web.yaml")
    asked: list[Access] = []

    def caller(access: Access) -> Caller:
        asked.append(access)
        raise Unreachable("It is only asked who asks.")

    assert service.platform is not None
    with pytest.raises(Unreachable):
        pilots(caller, lambda: datetime.now(UTC))("web", service.platform).check(service)
    assert asked == [service.access]
    assert asked[0].role == ROLE
