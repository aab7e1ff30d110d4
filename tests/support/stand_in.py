"""In the place of the ALB's data plane, which no emulator has: who is served by which side, in pretended time.

It does what is known of ALB: who has no cookie is drawn by the weights, who has one stays on his side until it is over,
whatever the weights are. Its counts go to CloudWatch as ALB's do: by the minute, and late.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tidegate.core.period import begin_of, period_at


@dataclass
class PretendedTraffic:
    """`users` come once a second each. `fails` says by image how many of a hundred requests fail."""

    groups: tuple[str, str]
    cloudwatch: Any
    users: int = 20
    sticky: timedelta = timedelta(seconds=1)
    period: timedelta = timedelta(minutes=1)
    late: timedelta = timedelta(seconds=75)
    fails: Mapping[str, int] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    sent: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """By image: requests and failures, all of them."""
    _pinned: dict[int, tuple[str, datetime]] = field(default_factory=dict)
    _gathered: dict[int, dict[tuple[str, str], list[int]]] = field(default_factory=dict)

    def second(self, weights: Mapping[str, int], images: Mapping[str, str], now: datetime, name: str) -> None:
        """One second: `weights` and `images` by target group. `name` is that of the load balancer."""
        number = period_at(now, self.period)
        counted = self._gathered.setdefault(number, defaultdict(lambda: [0, 0]))
        for user in range(self.users if sum(weights.values()) else 0):
            group, until = self._pinned.get(user, ("", now))
            if until <= now:
                group = self.chance.choices(list(weights), list(weights.values()))[0]
                if all(weights.values()):  # the rule keeps users only while there are two sides
                    self._pinned[user] = group, now + self.sticky
            failed = self.chance.randrange(100) < self.fails.get(images[group], 0)
            for tally in (counted[group, images[group]], self.sent[images[group]]):
                tally[0] += 1
                tally[1] += failed
        for whole in [one for one in self._gathered if now >= begin_of(one + 1, self.period) + self.late]:
            self._publish(self._gathered.pop(whole), begin_of(whole, self.period), name)

    def _publish(self, counted: Mapping[tuple[str, str], list[int]], at: datetime, name: str) -> None:
        data = []
        for (group, _), (requests, failed) in counted.items():
            values = {"TargetGroup": group.rpartition(":")[2], "LoadBalancer": name}
            dimensions = [{"Name": key, "Value": value} for key, value in values.items()]
            for metric, value in (("RequestCount", requests), ("HTTPCode_Target_5XX_Count", failed)):
                if value:  # ALB tells nothing that is zero
                    data.append({"MetricName": metric, "Dimensions": dimensions, "Timestamp": at, "Value": value})
        if data:
            self.cloudwatch.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)
