"""One start of one task as its health checks see it: counts good and bad answers into a verdict. Pure.

Healthy after so many good answers in a row, unhealthy after so many bad ones; who was never healthy is not called unhealthy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.drivers.process.life import Verdict
from tidegate.drivers.process.probe import Check, request


@dataclass(slots=True, eq=False)
class Patient:
    """`healthy`: what is known already. `dismissed`: nobody asks any more."""

    check: Check
    healthy: bool | None
    good: int = 0  # in a row
    bad: int = 0  # in a row
    dismissed: bool = False
    question: bytes = field(init=False)
    verdict: Verdict = field(init=False)

    def __post_init__(self) -> None:
        self.question = request(self.check)
        self.verdict = Verdict(self.healthy)

    @property
    def listens(self) -> bool:
        """Whether it ever answered well."""
        return self.healthy is not None or self.good > 0

    def judge(self, wrong: str) -> None:
        """One more answer: good when nothing is wrong."""
        self.good, self.bad = (0, self.bad + 1) if wrong else (self.good + 1, 0)
        if self.good >= self.check.healthy_after:
            self.healthy = True
        elif self.bad >= self.check.unhealthy_after and self.healthy is not None:
            self.healthy = False
        self.verdict = Verdict(self.healthy, wrong, self.verdict.checks + 1)
