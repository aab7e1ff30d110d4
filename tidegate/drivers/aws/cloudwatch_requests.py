"""What is asked of CloudWatch, as plain data, and how its answers are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tidegate.core.alarm_state import AlarmState
from tidegate.drivers.aws.call import Answer, Call
from tidegate.ports import Figure, Query

MOST_NAMES = 100
"""Alarms of one DescribeAlarms."""
MOST_QUERIES = 500
"""Queries of one GetMetricData."""
MOST_DATA = 1000
"""Figures of one PutMetricData."""

_STATISTICS = {"average": "Average", "sum": "Sum", "minimum": "Minimum", "maximum": "Maximum", "count": "SampleCount"}


def describe_alarms(names: Sequence[str]) -> Iterator[Call]:
    for begin in range(0, len(names), MOST_NAMES):
        some = list(names[begin : begin + MOST_NAMES])
        kinds = ["MetricAlarm", "CompositeAlarm"]
        yield Call("cloudwatch", "describe_alarms", {"AlarmNames": some, "AlarmTypes": kinds, "MaxRecords": MOST_NAMES})


def read_alarms(answer: Answer) -> dict[str, AlarmState]:
    found = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    return {alarm["AlarmName"]: AlarmState(alarm["StateValue"]) for alarm in found}


def get_metric_data(queries: Sequence[Query], begin: datetime, end: datetime, token: str = "") -> Call:
    parameters: dict[str, Any] = {
        "MetricDataQueries": [_metric(f"q{number}", query) for number, query in enumerate(queries)],
        "StartTime": begin,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
    }
    return Call("cloudwatch", "get_metric_data", parameters | ({"NextToken": token} if token else {}))


def _metric(id_: str, query: Query) -> dict[str, Any]:
    namespace, _, name = query.metric.name.rpartition("/")
    dimensions = [{"Name": one.label, "Value": one.value} for one in query.metric.matchers]
    return {
        "Id": id_,
        "MetricStat": {
            "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions},
            "Period": round(query.period.total_seconds()),
            "Stat": _STATISTICS.get(query.statistic, query.statistic),
        },
        "ReturnData": True,
    }


def read_metric_data(queries: Sequence[Query], answer: Answer) -> dict[Query, Mapping[datetime, float]]:
    """A query that CloudWatch could not answer is left out."""
    found: dict[Query, Mapping[datetime, float]] = {}
    for result in answer.get("MetricDataResults", ()):
        if result.get("StatusCode", "Complete") in ("Complete", "PartialData"):
            query = queries[int(result["Id"][1:])]
            found[query] = dict(zip(result["Timestamps"], map(float, result["Values"]), strict=True))
    return found


def put_metric_data(namespace: str, figures: Sequence[Figure], at: datetime) -> Iterator[Call]:
    """High-resolution figures, so that alarms on them may have periods of ten seconds."""
    for begin in range(0, len(figures), MOST_DATA):
        some = [_datum(figure, at) for figure in figures[begin : begin + MOST_DATA]]
        yield Call("cloudwatch", "put_metric_data", {"Namespace": namespace, "MetricData": some})


def _datum(figure: Figure, at: datetime) -> dict[str, Any]:
    return {
        "MetricName": figure.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in figure.dimensions],
        "Timestamp": at,
        "Value": figure.value,
        "Unit": figure.unit,
        "StorageResolution": 1,
    }
