"""What the field does, implemented with care from its documentation, in the same simulated world.

All look at whole minutes of the candidate alone, except Kayenta, which compares. Each gets a threshold that a careful
operator would choose for this service: 1 % of errors, or three times the usual where that is more; and one and a half times
the usual p99. None of the delays of their metrics systems are counted (CloudWatch metrics of an ALB come minutes late).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from benchmarks.simulation.ours import Result
from benchmarks.simulation.plan import SimPlan
from benchmarks.simulation.scenario import Scenario
from benchmarks.simulation.world import MEDIAN, OUTAGE_SECONDS, SHAPE, World
from tidegate.core.evalue import Array, Flags
from tidegate.core.latency import bin_of

USUAL_P99 = MEDIAN * 99 ** (1 / SHAPE)
SLOW = bin_of(1.5 * USUAL_P99)
MINUTE = 60


@dataclass
class Minute:
    """One minute of the candidate: requests that ended, failed ones, and ones slower than the threshold."""

    n: Array
    failed: Array
    slow: Array
    base_n: Array
    base_failed: Array
    base_slow: Array

    def breaches(self, most: float) -> Flags:
        """Error share above `most`, or p99 above its threshold (more than 1 % are slower). A minute without requests: no."""
        n = np.maximum(self.n, 1)
        return (self.n > 0) & ((self.failed / n > most) | (self.slow / n > 0.01))


class Rule(ABC):
    """Asked at the end of every minute."""

    name: str

    def begin(self, rollouts: int) -> None:
        self.breached = np.zeros((0, rollouts), dtype=bool)

    @abstractmethod
    def rolls_back(self, minute: Minute, most: float) -> Flags: ...

    def advances(self) -> Flags | None:
        """Whether the plan may go on; None where the plan goes by the clock."""
        return None


class CloudWatch(Rule):
    """A metric alarm, period 60 s, `datapoints` of `of`, missing data treated as missing; CodeDeploy rolls back on ALARM.

    Source: CloudWatch User Guide, "Evaluating an alarm" and "Configuring how alarms treat missing data"; with one period and
    no gaps it is: the last `of` minutes hold at least `datapoints` breaching ones. CodeDeploy User Guide, "Monitoring
    deployments with CloudWatch alarms": the deployment stops and, when so configured, rolls back.
    """

    def __init__(self, datapoints: int, of: int) -> None:
        self.datapoints, self.of = datapoints, of
        self.name = f"CloudWatch {datapoints} of {of}"

    def rolls_back(self, minute: Minute, most: float) -> Flags:
        self.breached = np.concatenate([self.breached, minute.breaches(most)[None]])[-self.of :]
        out: Flags = self.breached.sum(axis=0) >= self.datapoints
        return out


class Flagger(Rule):
    """Interval 1 m, threshold 5: the metrics docs' own example.

    Source: Flagger's "Metrics Analysis" and "How it works" pages and pkg/controller/scheduler.go: a failed check adds one to
    `failedChecks`, which is never reset while the revision is the same, and keeps the weight where it is; at the *next*
    interval `failedChecks >= threshold` rolls back. A query without values fails the check as well.
    """

    name = "Flagger 1m x 5"
    threshold = 5

    def begin(self, rollouts: int) -> None:
        super().begin(rollouts)
        self.failed = np.zeros(rollouts, dtype=int)
        self.passed = np.ones(rollouts, dtype=bool)

    def rolls_back(self, minute: Minute, most: float) -> Flags:
        out = self.failed >= self.threshold
        self.passed = ~(minute.breaches(most) | (minute.n == 0))
        self.failed = self.failed + ~self.passed
        return out

    def advances(self) -> Flags:
        return self.passed


class Argo(Rule):
    """A background analysis, interval 1 m, failureLimit 3.

    Source: Argo Rollouts, "Analysis & Progressive Delivery": the run fails when more measurements failed than failureLimit
    allows, and the rollout aborts; the steps go by their own pauses meanwhile. A query without values is an error, of
    which four in a row would be needed: not counted.
    """

    name = "Argo 1m limit 3"
    limit = 3

    def begin(self, rollouts: int) -> None:
        self.failed = np.zeros(rollouts, dtype=int)

    def rolls_back(self, minute: Minute, most: float) -> Flags:
        self.failed = self.failed + minute.breaches(most)
        return self.failed > self.limit


class Kayenta(Rule):
    """Mann-Whitney over the minutes of an hour, three hours at the first exposure.

    Source: Spinnaker, "How canary judgment works" and "Best practices" (at least 50 points a metric; a three-hour canary,
    judged hourly), and kayenta-judge: a metric is High when the lower end of the confidence interval (98 %) of the
    Hodges-Lehmann shift is above a quarter of its estimate; with two groups of equal weight one High makes a score of 50, below
    any usual marginal threshold. A metric without data is not judged.
    """

    name = "Kayenta 3 h"
    points = 60

    def begin(self, rollouts: int) -> None:
        self.minutes: list[Minute] = []
        self.rollouts = rollouts

    def rolls_back(self, minute: Minute, most: float) -> Flags:  # noqa: ARG002  # compares, needs no threshold
        self.minutes.append(minute)
        if len(self.minutes) % self.points:
            return np.zeros(self.rollouts, dtype=bool)
        hour = self.minutes[-self.points :]
        bad = _is_high(*(np.array([p(m) for m in hour]) for p in (_errors, _base_errors)))
        return bad | _is_high(*(np.array([p(m) for m in hour]) for p in (_slow, _base_slow)))


def _errors(minute: Minute) -> Array:
    return minute.failed / np.maximum(minute.n, 1)


def _base_errors(minute: Minute) -> Array:
    return minute.base_failed / np.maximum(minute.base_n, 1)


def _slow(minute: Minute) -> Array:
    """The share beyond a fixed latency stands for the latency's percentile: ranks are the same."""
    return minute.slow / np.maximum(minute.n, 1)


def _base_slow(minute: Minute) -> Array:
    return minute.base_slow / np.maximum(minute.base_n, 1)


def _is_high(candidate: Array, baseline: Array) -> Flags:
    """Whether the lower confidence limit of the Hodges-Lehmann shift is above a quarter of the shift."""
    count = len(candidate)
    shifts = np.sort((candidate[:, None] - baseline[None]).reshape(count * count, -1), axis=0)
    spread = 2.326 * np.sqrt(count * count * (2 * count + 1) / 12)
    lower = shifts[max(0, int(count * count / 2 - spread))]
    estimate = np.median(shifts, axis=0)
    high: Flags = (lower > 0.25 * np.abs(estimate)) & ~(candidate == baseline).all(axis=0)
    return high


def simulate(rule: Rule, scenario: Scenario, plan: SimPlan, rate: float, *, rollouts: int, seed: int, act: int = 1) -> Result:
    """Runs this rule to the end of its plan. Whole minutes; the fault goes on for `act` seconds after a rollback."""
    world = World(scenario, rate, rollouts, [SLOW], np.random.default_rng(seed))
    most = max(0.01, 3 * scenario.errors)
    result = Result.blank(rollouts)
    alive = np.ones(rollouts, dtype=bool)
    per_step = int(plan.hold / MINUTE)
    steps, held = np.array([*plan.steps, 1.0]), np.zeros(rollouts)
    rule.begin(rollouts)
    last = np.zeros(rollouts)
    for minute in range(int(plan.seconds / MINUTE * 1.5)):
        step = np.minimum(held // per_step, len(steps) - 1).astype(int)
        alive &= held < per_step * len(plan.steps) + plan.bake / MINUTE
        exposure = np.where(alive, steps[step], 0.0)
        seen, last, harmed = _minute(world, scenario, plan, exposure, minute)
        result.harmed += harmed
        result.exposed += seen.n
        result.seconds += MINUTE * alive
        out = rule.rolls_back(seen, most) & alive
        result.found[out] = (minute + 1) * MINUTE
        result.harmed += np.where(out, last * act, 0.0)
        alive &= ~out
        advances = rule.advances()
        held = held + (1.0 if advances is None else advances)
        if not alive.any():
            break
    return result


def _minute(world: World, scenario: Scenario, plan: SimPlan, exposure: Array, minute: int) -> tuple[Minute, Array, Array]:
    """A minute's counts, what the fault harmed in its last second, and in all of it."""
    total = [np.zeros_like(exposure) for _ in range(6)]
    harmed, last = np.zeros_like(exposure), np.zeros_like(exposure)
    onset = plan.onset(scenario.onset)
    for second in range(minute * MINUTE, (minute + 1) * MINUTE):
        middle = plan.seconds * 0.4
        faulty = np.full(len(exposure), second >= onset)
        outage = np.full(len(exposure), bool(scenario.outage) and middle <= second < middle + OUTAGE_SECONDS)
        traffic = world.next(exposure, faulty, outage)
        for i, side in enumerate((traffic.candidate, traffic.baseline)):
            for j, count in enumerate((side.finished, side.failed, side.bins[:, SLOW:].sum(axis=1))):
                total[3 * i + j] += count
        last = traffic.harmed
        harmed += last
    return Minute(*total), last, harmed


def rules() -> list[Rule]:
    return [CloudWatch(1, 1), CloudWatch(3, 3), Flagger(), Argo()]


KAYENTA_PLAN = SimPlan.of("10% / 3h", "canary 10% hold 3h bake 1m")
