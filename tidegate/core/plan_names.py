"""AWS's predefined plans, by name, as plain steps.

CodeDeploy moves at the start of an interval: ECSLinear10PercentEvery1Minutes has 10 % at once and 100 % after nine minutes.
AppConfig moves after it: Linear20PercentEvery6Minutes has nothing for six minutes, then 20 %. Its canary grows
exponentially (G*2^N) over the deployment's duration, and every AppConfig strategy bakes. Sources: AWS CodeDeploy User
Guide, "Working with deployment configurations"; AWS AppConfig User Guide, "Predefined deployment strategies".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

_Steps = tuple[tuple[int, timedelta], ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A predefined plan: its exact name, its (ten-thousandths, hold) steps, and its bake."""

    said: str
    steps: _Steps
    bake: timedelta


def _minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def _at_once(said: str, shares: tuple[int, ...], every: timedelta) -> Named:
    """CodeDeploy: the first share at the start, the last one without a hold."""
    return Named(said, tuple((s * 100, every if s < 100 else _minutes(0)) for s in shares), _minutes(0))


def _afterwards(said: str, shares: tuple[int, ...], every: timedelta, bake: timedelta) -> Named:
    """AppConfig: nothing during the first interval."""
    steps = ((0, every), *((s * 100, every if s < 100 else _minutes(0)) for s in shares))
    return Named(said, steps, bake)


_TENTHS = tuple(range(10, 101, 10))

_ALL = (
    _at_once("CodeDeployDefault.ECSAllAtOnce", (100,), _minutes(0)),
    _at_once("CodeDeployDefault.ECSLinear10PercentEvery1Minutes", _TENTHS, _minutes(1)),
    _at_once("CodeDeployDefault.ECSLinear10PercentEvery3Minutes", _TENTHS, _minutes(3)),
    _at_once("CodeDeployDefault.ECSCanary10Percent5Minutes", (10, 100), _minutes(5)),
    _at_once("CodeDeployDefault.ECSCanary10Percent15Minutes", (10, 100), _minutes(15)),
    Named("AppConfig.AllAtOnce", ((10_000, _minutes(0)),), _minutes(10)),
    _afterwards("AppConfig.Linear50PercentEvery30Seconds", (50, 100), _minutes(0.5), _minutes(1)),
    _afterwards("AppConfig.Linear20PercentEvery6Minutes", (20, 40, 60, 80, 100), _minutes(6), _minutes(30)),
    _afterwards("AppConfig.Canary10Percent20Minutes", (10, 20, 40, 80, 100), _minutes(4), _minutes(10)),
)

NAMED = {named.said.lower(): named for named in _ALL}
"""By lower-cased name: AWS's own pages disagree on the case."""
