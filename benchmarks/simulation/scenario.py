"""What can happen to a rollout: families of healthy versions, faults and troubles of the world around them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Onset(StrEnum):
    """When the fault begins: with the first request, at half the way, or just before the end."""

    START = "start"
    MIDDLE = "middle"
    LATE = "late"


class Use(StrEnum):
    """Parameters were frozen on the families of TUNE with their seeds, and judged on all others with other seeds."""

    TUNE = "tune"
    JUDGE = "judge"


@dataclass(frozen=True)
class Scenario:
    """Latency is log-logistic around 50 ms with shape 3.5 (p99 at 3.7 times the median, p99.9 at 7.2 times).

    errors        the baseline's error share
    fault         what the candidate adds to it
    slower        the candidate's factor on every latency
    tail          share of its requests that take `tail_factor` times as long
    hangs         share of its requests that never end (they time out after 30 s)
    burst         errors come in groups of this mean size, spread over `burst_seconds`
    noise         standard deviation of the logarithm of the error rate, wandering with a memory of 30 s: shared by both sides,
                  a fifth of it for each side alone; a quarter of all that for latency
    daily         relative amplitude of a slow wave in traffic and errors
    outage        error share of both sides for a minute, from two fifths of the way on (adaptive: once half is exposed)
    heavy         share of all traffic that one user makes whose every request fails
    """

    name: str
    use: Use
    harmless: bool = False
    errors: float = 0.001
    fault: float = 0.0
    onset: Onset = Onset.START
    slower: float = 1.0
    tail: float = 0.0
    tail_factor: float = 10.0
    hangs: float = 0.0
    burst: float = 1.0
    burst_seconds: int = 1
    noise: float = 0.0
    daily: float = 0.0
    outage: float = 0.0
    heavy: float = 0.0
    users_known: bool = False


def _families() -> list[Scenario]:
    tune, judge = Use.TUNE, Use.JUDGE
    found = [
        Scenario("healthy 0.1%", tune, harmless=True),
        Scenario("healthy 1%", judge, harmless=True, errors=0.01),
        Scenario("healthy 0%", judge, harmless=True, errors=0.0),
        Scenario("at the margin", judge, harmless=True, errors=0.01, fault=0.0035),
        Scenario("noisy", tune, harmless=True, errors=0.005, noise=0.5),
        Scenario("noisier", judge, harmless=True, errors=0.002, noise=0.9),
        Scenario("daily rhythm", judge, harmless=True, errors=0.005, daily=0.7),
        Scenario("bursts of 3", tune, harmless=True, errors=0.003, burst=3),
        Scenario("bursts of 5 over 3 s", judge, harmless=True, errors=0.003, burst=5, burst_seconds=3),
        Scenario("latency +5%", judge, harmless=True, slower=1.05),
        Scenario("shared outage 50%", judge, harmless=True, outage=0.5),
        Scenario("shared outage 10%", tune, harmless=True, outage=0.1),
        Scenario("heavy failing user, ids known", judge, harmless=True, heavy=0.01, users_known=True),
        Scenario("heavy failing user, ids unknown", judge, harmless=True, heavy=0.01),
    ]
    for fault in (0.05, 0.2, 1.0):
        found.append(Scenario(f"fault {fault:.0%}", tune, fault=fault))
    for fault in (0.005, 0.01, 0.02, 0.1, 0.5):
        found.append(Scenario(f"fault {fault:.1%}", judge, fault=fault))
    for fault in (0.05, 0.2, 1.0):
        found.append(Scenario(f"fault {fault:.0%} on 1%", judge, errors=0.01, fault=fault))
    for onset in (Onset.MIDDLE, Onset.LATE):
        for fault in (0.05, 0.2, 1.0):
            found.append(Scenario(f"fault {fault:.0%} {onset.value}", judge, fault=fault, onset=onset))
    found += [
        Scenario("fault 20% in bursts", judge, errors=0.003, burst=3, fault=0.2),
        Scenario("fault 20% and noise", judge, errors=0.005, noise=0.5, fault=0.2),
        Scenario("hangs 100%", tune, hangs=1.0),
        Scenario("hangs 20%", judge, hangs=0.2),
        Scenario("latency +20%", judge, slower=1.2),
        Scenario("latency +100%", tune, slower=2.0),
        Scenario("tail 5% ten times", judge, tail=0.05),
        Scenario("fault 20% in an outage", judge, fault=0.2, outage=0.1),
    ]
    return found


SCENARIOS: tuple[Scenario, ...] = tuple(_families())
STRICT = (
    "healthy 0.1%", "healthy 1%", "healthy 0%", "noisy", "daily rhythm", "bursts of 3", "bursts of 5 over 3 s", "latency +5%",
)  # fmt: skip
"""Harmless families of which at most one in a thousand may be rolled back."""


def named(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


def without_fault(scenario: Scenario) -> Scenario:
    """The same world with a harmless candidate: what the baseline's history was made in."""
    return Scenario(
        "calm",
        Use.JUDGE,
        harmless=True,
        errors=scenario.errors,
        burst=scenario.burst,
        burst_seconds=scenario.burst_seconds,
        noise=scenario.noise,
        daily=scenario.daily,
        heavy=scenario.heavy,
        users_known=scenario.users_known,
    )
