"""What was counted of one side. A Tally only grows while the router lives; the difference of two is a span's counts.

Counts are attempts as the router saw them (section 5 of the design): a request that failed on the candidate and was rescued
by the baseline is one failed attempt of the candidate, and no failure that a user saw.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.core.latency import Latencies


@dataclass(frozen=True, slots=True)
class Tally:
    """Attempts of one version in one slot: begun, finished, failed, and how long the finished ones took.

    `failed`: status 5xx, reset, refused, timed out, cut off in mid-body, or a server-side gRPC status. A client that went
    away (Envoy's DC flag) is finished, not failed.
    """

    begun: int = 0
    finished: int = 0
    failed: int = 0
    latency: Latencies = field(default_factory=Latencies)

    def minus(self, earlier: Tally) -> Tally:
        return Tally(
            begun=max(0, self.begun - earlier.begun),
            finished=max(0, self.finished - earlier.finished),
            failed=max(0, self.failed - earlier.failed),
            latency=self.latency.minus(earlier.latency),
        )

    def plus(self, other: Tally) -> Tally:
        return Tally(
            begun=self.begun + other.begun,
            finished=self.finished + other.finished,
            failed=self.failed + other.failed,
            latency=self.latency.plus(other.latency),
        )


NOTHING = Tally()
