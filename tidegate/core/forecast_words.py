"""A forecast in words, on the command line and on its page alike: what each step sees, and how a bad version is found."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from tidegate.core.figures import NONE, share, span
from tidegate.core.rate import say_rate

SURELY = 0.999
_FROM = {"now": " now", "day": " on average of the last day"}
_ERRORS_FROM = {"given": "", "now": " now", "day": " in the last day", "usual": ", which is a guess"}


class TrafficAhead(Protocol):
    @property
    def per_second(self) -> float: ...
    @property
    def per_second_from(self) -> str: ...
    @property
    def error_rate(self) -> float: ...
    @property
    def error_rate_from(self) -> str: ...
    @property
    def clusters(self) -> float: ...


class StepAhead(Protocol):
    @property
    def exposure(self) -> str: ...
    @property
    def hold(self) -> timedelta: ...
    @property
    def held(self) -> timedelta: ...
    @property
    def finds(self) -> float | None: ...
    @property
    def needs(self) -> timedelta | None: ...
    @property
    def gate(self) -> str: ...
    @property
    def proven(self) -> bool: ...


def say_traffic(traffic: TrafficAhead) -> str:
    requests = f"{say_rate(traffic.per_second)} requests a second{_FROM.get(traffic.per_second_from, '')}"
    bursts = f", in bursts of about {traffic.clusters:.0f}" if traffic.clusters >= 2 else ""
    failing = f"{say_fault(traffic.error_rate)} fail{_ERRORS_FROM.get(traffic.error_rate_from, '')}{bursts}"
    return f"at {requests}, of which {failing}"


def say_sight(step: StepAhead, *, compared: bool) -> tuple[str, str, bool]:
    """The smallest fault that a step finds, what is to be said of it, and whether that is a warning."""
    gate = f"then waits for a person: {step.gate}" if step.gate else ""
    if step.exposure == "100%":
        return NONE, gate or ("nobody is left to compare with" if compared else ""), bool(gate)
    if not compared or not step.hold or step.exposure == "0%":
        return NONE, gate, bool(gate)
    found = NONE if step.finds is None else f"{say_fault(step.finds)} failing"
    is_short = not step.proven and (step.needs is None or step.needs > step.held)
    return found, gate or (_too_short(step) if is_short else _held(step)), bool(gate) or is_short


def _held(step: StepAhead) -> str:
    """Why it is not held for as long as the plan says."""
    if step.proven:
        return f"of {span(step.hold)}: proven by then"
    return f"more than {span(step.hold)}, to see enough" if step.held > step.hold else ""


def _too_short(step: StepAhead) -> str:
    return f"needs {_roughly(step.needs)} to find 5%" if step.needs is not None else "never finds 5%"


def _roughly(needs: timedelta) -> str:
    """Hours without their seconds."""
    grain = timedelta(minutes=1) if needs >= timedelta(hours=1) else timedelta(seconds=1)
    return span(-(-needs // grain) * grain)


def say_fault(fault: float) -> str:
    return f"{fault:.0%}" if fault >= 0.0995 else share(fault).replace(".0%", "%")


def say_failing(fault: float) -> str:
    return "everything" if fault == 1 else f"{say_fault(fault)} of its requests"


def say_chance(found: float) -> str:
    if found < 1 - SURELY:
        return "by alarms only"
    return "always" if found >= SURELY else f"{found:.0%}"


def say_requests(requests: float) -> str:
    return f"{requests:,.0f}" if requests >= 10 or requests == 0 else f"{requests:.1f}"
