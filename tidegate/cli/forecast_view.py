"""A forecast as people read it: the traffic, what each step sees, whom a bad version harms, and what to beware of."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tidegate.cli.answers import Forecast, HarmAhead, StepAhead
from tidegate.cli.figures import NONE, span
from tidegate.cli.preview import say_ahead
from tidegate.cli.screen import Glyphs
from tidegate.cli.service_views import plain_table
from tidegate.core.forecast_words import say_chance, say_failing, say_requests, say_sight, say_traffic

MOST_SHOWN = 12


def outlook(ahead: Forecast, glyphs: Glyphs) -> Group:
    parts: list[RenderableType] = [
        Text.assemble((ahead.service, "bold"), f"  {ahead.plan}  ", (say_traffic(ahead.traffic), "dim"))
    ]
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
    found, said, is_warning = say_sight(step, compared=compared)
    return found, Text(said, "yellow" if is_warning else "dim")


def _shown(steps: tuple[StepAhead, ...]) -> list[StepAhead | None]:
    """All of a short plan; of a long one its beginning and its end."""
    return list(steps) if len(steps) <= MOST_SHOWN else [*steps[:8], None, *steps[-3:]]


# --- Whom a bad version harms -----------------------------------------------------------------------------------------


def _harms(ahead: Forecast) -> Table:
    thing = "change" if _is_of_flags(ahead) else "version"
    table = plain_table(f"a {thing} that fails", ">is found", ">after", ">fails about", ">95% below")
    for harm in ahead.harms:
        table.add_row(say_failing(harm.fault), *_ending(harm))
    return table


def _ending(harm: HarmAhead) -> tuple[RenderableType, ...]:
    mean, p95 = (say_requests(value) for value in (harm.mean, harm.p95))
    if harm.harmless:
        return Text("within the margin", "dim"), NONE, mean, p95
    style = "" if harm.found >= 0.9 else "yellow"
    return Text(say_chance(harm.found), style), span(harm.after), Text(mean, style), Text(p95, style)


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
