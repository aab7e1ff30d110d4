"""A forecast as people read it: the traffic, what each step sees, whom a bad version harms, and what to beware of."""

from __future__ import annotations

from datetime import timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tidegate.cli.answers import Forecast, HarmAhead, StepAhead
from tidegate.cli.figures import NONE, share, span
from tidegate.cli.preview import say_ahead
from tidegate.cli.screen import Glyphs
from tidegate.cli.service_views import plain_table
from tidegate.core.rate import say_rate

MOST_SHOWN = 12
SURELY = 0.999


def outlook(ahead: Forecast, glyphs: Glyphs) -> Group:
    parts: list[RenderableType] = [Text.assemble((ahead.service, "bold"), f"  {ahead.plan}  ", (_traffic(ahead), "dim"))]
    if ahead.first:
        parts.append(Text(_of_the_first(ahead), "dim"))
    parts += [Text(), _steps(ahead, glyphs), Text(), _harms(ahead), Text(), _takes(ahead)]
    if ahead.warnings:
        parts += [Text(), _warnings(ahead)]
    return Group(*parts, Text(), _guards(ahead))


def _of_the_first(ahead: Forecast) -> str:
    if _is_of_flags(ahead):
        return "Its first document is in force for everybody at once. This is of the changes after it."
    return "Its first version serves everybody at once. This is of the versions after it."


def _is_of_flags(ahead: Forecast) -> bool:
    return "/" in ahead.service


_FROM = {"now": " now", "day": " on average of the last day"}
_ERRORS_FROM = {"given": "", "now": " now", "day": " in the last day", "usual": ", which is a guess"}


def _traffic(ahead: Forecast) -> str:
    traffic = ahead.traffic
    requests = f"{say_rate(traffic.per_second)} requests a second{_FROM.get(traffic.per_second_from, '')}"
    bursts = f", in bursts of about {traffic.clusters:.0f}" if traffic.clusters >= 2 else ""
    failing = f"{_fault(traffic.error_rate)} fail{_ERRORS_FROM.get(traffic.error_rate_from, '')}{bursts}"
    return f"at {requests}, of which {failing}"


# --- What each step sees ----------------------------------------------------------------------------------------------


def _steps(ahead: Forecast, glyphs: Glyphs) -> Table:
    table = plain_table("step", ">held", ">requests", ">finds", "")
    for step in _shown(ahead.steps):
        if step is None:
            table.add_row(glyphs.more)
        else:
            table.add_row(step.exposure, span(step.held), f"{step.requests:,}", *_sight(step, compared=bool(ahead.compares)))
    return table


def _sight(step: StepAhead, *, compared: bool) -> tuple[str, RenderableType]:
    """The smallest fault that it finds, and what that means."""
    gate = Text(f"then waits for a person: {step.gate}" if step.gate else "", "yellow")
    if step.exposure == "100%":
        return NONE, gate or Text("nobody is left to compare with" if compared else "", "dim")
    if not compared or not step.hold or step.exposure == "0%":
        return NONE, gate
    found = NONE if step.finds is None else f"{_fault(step.finds)} failing"
    too_short = not step.proven and (step.needs is None or step.needs > step.held)
    return found, gate or (Text(_too_short(step), "yellow") if too_short else Text(_held(step), "dim"))


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


def _fault(fault: float) -> str:
    return f"{fault:.0%}" if fault >= 0.0995 else share(fault).replace(".0%", "%")


def _shown(steps: tuple[StepAhead, ...]) -> list[StepAhead | None]:
    """All of a short plan; of a long one its beginning and its end."""
    return list(steps) if len(steps) <= MOST_SHOWN else [*steps[:8], None, *steps[-3:]]


# --- Whom a bad version harms -----------------------------------------------------------------------------------------


def _harms(ahead: Forecast) -> Table:
    thing = "change" if _is_of_flags(ahead) else "version"
    table = plain_table(f"a {thing} that fails", ">is found", ">after", ">fails about", ">95% below")
    for harm in ahead.harms:
        table.add_row(_failing(harm.fault), *_ending(harm))
    return table


def _failing(fault: float) -> str:
    return "everything" if fault == 1 else f"{_fault(fault)} of its requests"


def _ending(harm: HarmAhead) -> tuple[RenderableType, ...]:
    mean, p95 = (_count(value) for value in (harm.mean, harm.p95))
    if harm.harmless:
        return Text("within the margin", "dim"), NONE, mean, p95
    style = "" if harm.found >= 0.9 else "yellow"
    return Text(_chance(harm.found), style), span(harm.after), Text(mean, style), Text(p95, style)


def _chance(found: float) -> str:
    if found < 1 - SURELY:
        return "by alarms only"
    return "always" if found >= SURELY else f"{found:.0%}"


def _count(requests: float) -> str:
    return f"{requests:,.0f}" if requests >= 10 or requests == 0 else f"{requests:.1f}"


# --- The rest ---------------------------------------------------------------------------------------------------------


def _takes(ahead: Forecast) -> Text:
    gates = sum(bool(step.gate) for step in ahead.steps)
    waits = f", and waits for a person {'once' if gates == 1 else f'{gates} times'}" if gates else ""
    thing = "change" if _is_of_flags(ahead) else "version"
    return Text.assemble(f"A good {thing} takes ", (span(ahead.duration), "bold"), f"{waits}.")


def _warnings(ahead: Forecast) -> Table:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="yellow", no_wrap=True)
    rows.add_column()
    for number, warning in enumerate(ahead.warnings):
        rows.add_row("beware" if number == 0 else "", warning)
    return rows


def _guards(ahead: Forecast) -> Table:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()
    for number, guard in enumerate(ahead.guards):
        rows.add_row("guards" if number == 0 else "", say_ahead(guard))
    return rows
