"""CloudWatch as a source of alarms and metrics, and as a place where our own figures are published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from tidegate.core.alarm_state import AlarmState
from tidegate.core.errors import Refused, Unreachable
from tidegate.drivers.aws import cloudwatch_requests as requests
from tidegate.drivers.aws.call import Caller
from tidegate.drivers.aws.pages import pages
from tidegate.ports import Figure, Query


class CloudWatch:
    """Implements ports.CloudSource, and ports.Publisher under `namespace`.

    `caller` is asked when the first call is made: nobody needs boto3 who needs no AWS."""

    def __init__(self, caller: Callable[[], Caller], namespace: str = "") -> None:
        self._caller = caller
        self._namespace = namespace

    def states(self, names: Sequence[str]) -> Mapping[str, AlarmState]:
        found: dict[str, AlarmState] = {}
        for call in requests.describe_alarms(names):
            for page in pages(self._caller(), call):
                found |= requests.read_alarms(page)
        return found

    def figures(self, queries: Sequence[Query], begin: datetime, end: datetime) -> Mapping[Query, Mapping[datetime, float]]:
        found: dict[Query, dict[datetime, float]] = {}
        for first in range(0, len(queries), requests.MOST_QUERIES):
            some = queries[first : first + requests.MOST_QUERIES]
            token = ""
            while True:
                answer = self._caller().do(requests.get_metric_data(some, begin, end, token))
                for query, figures in requests.read_metric_data(some, answer).items():
                    found.setdefault(query, {}).update(figures)
                token = answer.get("NextToken", "")
                if not token:
                    break
        if silent := [query for query in queries if query not in found]:
            raise Unreachable(f"CloudWatch did not answer what {silent[0].metric} was.")
        return found

    def publish(self, figures: Sequence[Figure], at: datetime) -> None:
        for call in requests.put_metric_data(self._namespace, figures, at):
            self._caller().do(call)


def missing_boto3(error: ImportError) -> Refused:
    """What is said where something asks for AWS, and its library is not there."""
    return Refused(
        f"This asks for AWS, and {error.name or 'boto3'} is not installed.", "Install it: pip install 'tidegate[aws]'."
    )
