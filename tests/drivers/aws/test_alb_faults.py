"""Lost answers, throttling and errors, before and after AWS did what it was asked: on the wire, between boto3 and emulators.

boto3 tries most calls three times by itself, a rollback's eight times, and those that make something once: so a fault lasts for
one request, which boto3 mends, or for as many as it takes until Tidegate has to.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.aws_stories import STORIES, tell
from tests.support.aws_world import AwsWorld, make_place
from tests.support.fault_proxy import Fault, FaultProxy, Wrong
from tidegate.drivers.aws.call import Call
from tidegate.drivers.aws.calls import ATTEMPTS

pytestmark = pytest.mark.real
WRITES = ("RegisterTaskDefinition", "UpdateService", "AddTags", "ModifyRule")
MANY = 4
"""More than boto3 tries a usual call."""


class CountedWorld(AwsWorld):
    """Its requests are counted too, so that GetMetricData is among the calls."""

    counts = {  # noqa: RUF012 - it is a file's content
        "requests": 'cloudwatch:Shop/Requests{Version="{version}"}',
        "failed": 'cloudwatch:Shop/Failed{Version="{version}"}',
        "period": "5s",
        "late": "1s",
    }


@pytest.fixture
def proxy(moto_url: str, ministack_url: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """What the tests themselves ask goes past it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", moto_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ministack_url)
    with FaultProxy({"ecs": ministack_url}, otherwise=moto_url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", proxy.url)
        yield proxy


def strike(proxy: FaultProxy, home: Path, story: str, fault: Fault | None, patch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often each operation was asked for, in the whole story."""
    proxy.arm(None)
    place = make_place(proxy.otherwise)

    counted = fault is None or fault.operation == "GetMetricData"

    class Proxied(CountedWorld if counted else AwsWorld):  # type: ignore[misc]  # counting takes time
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]  # as they come
            with patch.context() as behind:
                for name in ("ELASTIC_LOAD_BALANCING_V2", "ECS"):
                    behind.setenv(f"AWS_ENDPOINT_URL_{name}", proxy.url)
                for call in (Call("ecs", "list_clusters"), Call("elbv2", "describe_account_limits")):
                    assert self.caller.real is not None
                    for manner in ATTEMPTS:
                        self.caller.real._client(call.service, manner)  # type: ignore[attr-defined]  # made behind it

    def begin(world: AwsWorld) -> Fault | None:
        proxy.arm(fault)
        return fault

    tell(home, place, story, begin, Proxied)
    return dict(proxy.asked)


@pytest.mark.parametrize(
    ("story", "fault"),
    [
        ("good", Fault("RegisterTaskDefinition", 1, Wrong.DONE_AND_ERROR)),
        ("bad", Fault("DescribeServices", 2, Wrong.THROTTLED, MANY)),
        ("bad", Fault("ModifyRule", 2, Wrong.LOST, MANY)),
    ],
    ids=lambda value: f"{value.operation} {value.wrong}" if isinstance(value, Fault) else value,
)
def test_a_rollout_ends_rightly_when_a_call_goes_wrong_on_the_wire(
    proxy: FaultProxy, tmp_path: Path, story: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of them; the nightly form takes all."""
    strike(proxy, tmp_path, story, fault, monkeypatch)
    assert proxy.struck


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("wrong", "times"), [(wrong, times) for wrong in Wrong for times in (1, MANY)])
@pytest.mark.parametrize("story", list(STORIES))
def test_every_rollout_ends_rightly_whatever_call_goes_wrong_on_the_wire(  # noqa: PLR0917 - pytest's way to hand it in
    proxy: FaultProxy, tmp_path: Path, story: str, wrong: Wrong, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write; and of each kind of look the first, one in the middle and the last, where boto3 does not mend it alone. Each
    test takes two to six minutes."""
    asked = strike(proxy, tmp_path / "calm", story, None, monkeypatch)
    for operation, count in sorted(asked.items()):
        looks = sorted({1, (count + 1) // 2, count}) if times > 1 else []
        for number in range(1, count + 1) if operation in WRITES else looks:
            strike(proxy, tmp_path / f"{operation}-{number}", story, Fault(operation, number, wrong, times), monkeypatch)
