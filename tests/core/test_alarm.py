from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tidegate.core.alarm import AlarmFile
from tidegate.core.alarm_set import check_alarms, in_order
from tidegate.core.document import read
from tidegate.core.errors import Invalid
from tidegate.core.service import Service


def alarm(**content: Any) -> AlarmFile:
    return read(AlarmFile, {"name": "errors", **content}, "the alarm")


def composite(name: str, when: str) -> AlarmFile:
    return AlarmFile(name=name, when=when)


@pytest.mark.parametrize(
    "content",
    [
        {"metric": "error_rate", "above": "1%", "period": "10s", "datapoints": "2 of 3", "missing": "not_breaching"},
        {"metric": "p99.9", "at_least": "1m30s", "of": "service", "rollback": False},
        {"metric": "requests", "below": 20},
        {"metric": "tasks_healthy", "at_most": 0},
        {"metric": 'tasks:queue{name="mail"}', "above": 0.5, "statistic": "p99.9"},
        {"metric": "pushed:orders", "below": "3", "statistic": "sum", "of": "baseline"},
        {"when": 'ALARM("a") AND NOT OK(b)', "rollback": False},
    ],
)
def test_an_alarm_reads_back_the_same_from_what_is_stored(content: dict[str, Any]) -> None:
    written = alarm(**content)
    assert AlarmFile.model_validate_json(written.model_dump_json()) == written
    assert AlarmFile.model_validate(written.model_dump(mode="json")) == written


@pytest.mark.parametrize(
    ("content", "what", "mend"),
    [
        ({"metric": "error_rate", "above": 0.01}, "error_rate is a share, and 0.01 is none", "above: 1%"),
        ({"metric": "error_rate", "above": "1s"}, "error_rate is a share", "above: 1%"),
        ({"metric": "p99", "above": 800}, "p99 is a duration, and 800 is none", "above: 800ms"),
        ({"metric": "p99", "at_least": "5%"}, "p99 is a duration", "at_least: 800ms"),
        ({"metric": "requests", "below": "5%"}, "requests is a plain number", "below: 20"),
        ({"metric": "tasks:latency_seconds", "above": "1s"}, "plain number", "above: 20"),
        ({"metric": "eror_rate", "above": "1%"}, "There is no metric 'eror_rate'", "Did you mean 'error_rate'?"),
        ({"metric": "error_rate"}, "found none", "Keep one"),
        ({"metric": "error_rate", "above": "1%", "below": "2%"}, "found above and below", "Keep one"),
        ({}, "neither metric nor when", "Give one"),
        ({"metric": "requests", "below": 1, "when": "TRUE"}, "both metric and when", "Give one"),
        ({"metric": "requests", "below": 1, "statistic": "sum"}, "no statistic to choose", "Remove statistic: sum"),
        ({"metric": "tasks:q", "below": 1, "statistic": "sums"}, "'sums' is no statistic", "Did you mean 'sum'?"),
        ({"metric": "tasks:q", "below": 1, "statistic": "p101"}, "'p101' is no statistic", "percentile as p99"),
        ({"metric": "requests", "below": 1, "period": "500ms"}, "a period of 500ms", "from 1s"),
        ({"metric": "requests", "below": 1, "period": "1500ms"}, "a period of 1s500ms", "whole seconds"),
        ({"metric": "requests", "below": 1, "datapoints": "3 of 2"}, "3 of 2 periods can never be", "2 of 3"),
        ({"metric": "requests", "below": 1, "datapoints": "two"}, "'two' does not say", "2 of 3"),
        ({"metric": "requests", "below": 1, "datapoints": "0 of 3"}, "'0 of 3' does not say", "2 of 3"),
        ({"metric": "requests", "below": 1, "datapoints": "1 of 361"}, "361 periods are too many", "at most 360"),
        ({"metric": "requests", "below": 1, "datapoints": "1 of 25", "period": "1h"}, "more than a day", "fewer or shorter"),
        ({"metric": "requests", "belw": 1}, "unknown key 'belw'", "Did you mean 'below'?"),
        ({"when": "ALARM(a"}, "ends where ')'", "Write it as"),
        ({"when": "TRUE", "above": "1%"}, "composite alarm and has above", "Remove above"),
        ({"when": "TRUE", "missing": "breaching"}, "composite alarm and has missing", "Remove missing"),
    ],
)
def test_a_wrong_alarm_is_refused_with_its_place_and_the_mend(content: dict[str, Any], what: str, mend: str) -> None:
    with pytest.raises(Invalid) as wrong:
        alarm(**content)
    assert what in wrong.value.what
    assert mend in wrong.value.mend


def test_its_words_become_the_schema_that_editors_show() -> None:
    schema = AlarmFile.model_json_schema()
    assert all("description" in field for name, field in schema["properties"].items() if name not in ("name",))
    assert {"type": "number"} in schema["properties"]["above"]["anyOf"][0]["anyOf"]


@pytest.mark.parametrize(
    ("content", "value", "breaching"),
    [
        ({"above": "1%"}, 0.01, False),
        ({"above": "1%"}, 0.0101, True),
        ({"at_least": "1%"}, 0.01, True),
        ({"below": "1%"}, 0.01, False),
        ({"below": "1%"}, 0.0099, True),
        ({"at_most": "1%"}, 0.01, True),
    ],
)
def test_a_comparison_is_strict_or_not_as_its_name_says(content: dict[str, Any], value: float, breaching: bool) -> None:
    assert alarm(metric="error_rate", **content).breaches(value) is breaching


def test_composite_alarms_come_after_those_that_they_speak_of() -> None:
    one, two = composite("one", "ALARM(two) OR ALARM(errors)"), composite("two", "NOT OK(errors)")
    simple = alarm(metric="error_rate", above="1%")
    check_alarms([one, two, simple])
    assert [a.name for a in in_order([one, two, simple])] == ["errors", "two", "one"]


@pytest.mark.parametrize(
    ("alarms", "what"),
    [
        ([composite("a", "ALARM(b)")], "alarm a speaks of 'b', which is no alarm of this service"),
        ([composite("a", "ALARM(a)")], "the rule of alarm a speaks of itself."),
        ([composite("a", "ALARM(b)"), composite("b", "OK(c)"), composite("c", "NOT OK(b)")], "speaks of itself (b -> c -> b)"),
        ([composite("a", "TRUE"), composite("a", "TRUE")], "two alarms are named 'a'"),
    ],
)
def test_rules_over_unknown_alarms_or_in_a_circle_are_refused(alarms: list[AlarmFile], what: str) -> None:
    with pytest.raises(ValueError, match=r"\n") as wrong:
        check_alarms(alarms)
    assert what in str(wrong.value)


def test_a_metric_of_tasks_that_expose_none_is_refused() -> None:
    queue = alarm(metric="tasks:queue", above=3)
    check_alarms([queue], scraped=True)
    with pytest.raises(ValueError, match=r"tasks\.metrics"):
        check_alarms([queue], scraped=False)


def service(**tasks: Any) -> Service:
    content = {
        "service": "web",
        "listener": {"port": 8080},
        "tasks": {"targets": ["127.0.0.1:1"], **tasks},
        "alarms": [{"name": "queue", "metric": "tasks:queue", "above": 3}],
    }
    return read(Service, content, "web.yaml")


def test_a_service_checks_its_alarms_together() -> None:
    assert service(metrics="/metrics").alarms[0].name == "queue"
    with pytest.raises(Invalid) as wrong:
        service()
    assert wrong.value.where == "alarms"
    assert wrong.value.what == "web.yaml: alarms: alarm queue looks at tasks:queue, but the tasks expose no metrics."
    assert wrong.value.mend == "Say where they do: tasks.metrics: /metrics."


def of_flag(**content: Any) -> AlarmFile:
    return AlarmFile.model_validate({"name": "checkout", "metric": "flag:checkout", "above": "5%", **content})


def test_an_alarm_on_a_flag_is_about_the_share_of_its_requests_that_failed() -> None:
    assert of_flag().said == "average of flag:checkout of the candidate above 5% in 1 of 1 periods of 10s"
    assert of_flag(metric='flag:checkout{variant = "on"}').metric == 'flag:checkout{variant="on"}'
    assert of_flag(statistic="p99", above="800ms").limit.value == 0.8
    assert of_flag(statistic="count", above="20").limit.value == 20


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"metric": "flag:"}, "no name of a flag"),
        ({"metric": "flag:a b"}, "no name of a flag"),
        ({"metric": 'flag:checkout{side="on"}'}, "no label 'side'"),
        ({"metric": 'flag:checkout{variant="on"'}, "do not end"),
        ({"above": "20"}, "is a share"),
        ({"statistic": "p99"}, "is a duration"),
        ({"statistic": "sum"}, "have no sum"),
        ({"metric": "flags:checkout"}, "Did you mean 'flag:checkout'"),
    ],
)
def test_an_odd_alarm_on_a_flag_is_refused_with_its_mend(content: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        of_flag(**content)
