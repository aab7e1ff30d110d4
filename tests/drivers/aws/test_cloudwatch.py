"""CloudWatch as a source and a publisher: real boto3 against moto's CloudWatch."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from tidegate.core.alarm_state import AlarmState
from tidegate.core.errors import Refused, Unreachable
from tidegate.core.metric_name import parse_metric_name
from tidegate.core.period import begin_of, period_at
from tidegate.drivers.aws.call import Call
from tidegate.drivers.aws.calls import Calls
from tidegate.drivers.aws.cloudwatch import CloudWatch
from tidegate.ports import Figure, Query

pytestmark = pytest.mark.real
MINUTE = timedelta(minutes=1)


def a_name() -> str:
    return f"alarm-{uuid.uuid4().hex[:12]}"


def put_alarm(name: str, state: str) -> None:
    client = boto3.client("cloudwatch")
    client.put_metric_alarm(
        AlarmName=name,
        Namespace="Shop",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test says so")


@pytest.fixture
def source(cloudwatch_at: str) -> CloudWatch:
    calls = Calls()
    return CloudWatch(lambda: calls, "Tidegate")


def test_alarms_are_seen_by_name_and_those_that_are_not_there_are_not(source: CloudWatch) -> None:
    fine, firing, silent = a_name(), a_name(), a_name()
    for name, state in ((fine, "OK"), (firing, "ALARM"), (silent, "INSUFFICIENT_DATA")):
        put_alarm(name, state)
    assert source.states([fine, firing, silent, a_name()]) == {
        fine: AlarmState.OK,
        firing: AlarmState.ALARM,
        silent: AlarmState.INSUFFICIENT_DATA,
    }


def test_what_is_published_can_be_asked_for(source: CloudWatch) -> None:
    subject = a_name()
    now = begin_of(period_at(datetime.now(UTC), MINUTE), MINUTE)
    for value, at in ((3.0, now - 2 * MINUTE), (4.0, now - 2 * MINUTE + timedelta(seconds=9)), (5.0, now - MINUTE)):
        source.publish([Figure("Harm", value, "Count", (("Subject", subject),))], at)
    metric = parse_metric_name(f'cloudwatch:Tidegate/Harm{{Subject="{subject}"}}')
    total, most = Query(metric, "sum", MINUTE), Query(metric, "maximum", MINUTE)
    nobody = Query(parse_metric_name('cloudwatch:Tidegate/Harm{Subject="nobody"}'), "sum", MINUTE)
    found = source.figures([total, most, nobody], now - 5 * MINUTE, now)
    assert found[total] == {now - 2 * MINUTE: 7.0, now - MINUTE: 5.0}
    assert found[most] == {now - 2 * MINUTE: 4.0, now - MINUTE: 5.0}
    assert found[nobody] == {}


def test_who_does_not_answer_is_unreachable(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:1")
    calls = Calls()
    with pytest.raises(Unreachable, match="was not answered"):
        CloudWatch(lambda: calls).states(["any"])


def test_without_credentials_or_region_it_is_refused_with_the_mend(cloudwatch_at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(Refused, match="in which region"):
        Calls().do(Call("cloudwatch", "describe_alarms"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(Refused, match="no credentials"):
        Calls().do(Call("cloudwatch", "describe_alarms"))


def test_what_cannot_be_asked_is_refused_before_it_is_sent(cloudwatch_at: str) -> None:
    with pytest.raises(Refused, match="cannot be asked"):
        Calls().do(Call("cloudwatch", "set_alarm_state", {"AlarmName": 5}))
