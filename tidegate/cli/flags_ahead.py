"""What releasing a change of flags will do, said before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tidegate.cli.answers import GuardAhead, Step, Words
from tidegate.cli.preview import add_guards, add_plan
from tidegate.cli.screen import Glyphs
from tidegate.core.duration import Duration
from tidegate.core.protection import unprotected as nothing_protects


@dataclass(frozen=True, slots=True)
class ChangeAhead:
    kind: Words
    thing: Words
    name: Words
    sentences: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class FlagsAhead:
    environment: Words
    changes: tuple[ChangeAhead, ...]
    base: int
    candidate: int
    agents: int
    reported: float | None
    steps: tuple[Step, ...]
    duration: Duration
    shortest: Duration
    deadline: Duration
    guards: tuple[GuardAhead, ...]
    warnings: tuple[Words, ...] = ()
    led: Words = ""


def flags_ahead(ahead: FlagsAhead, glyphs: Glyphs) -> Group:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()
    for number, change in enumerate(ahead.changes):
        rows.add_row("changes" if number == 0 else "", _change(change))
    if ahead.base:
        add_plan(rows, ahead, glyphs)
        add_guards(rows, ahead)
    else:
        rows.add_row("plan", "the first document is in force for everybody at once: there is nothing to protect")
    rows.add_row("stop it", f"tidegate abort {ahead.environment}")
    return Group(_title(ahead, glyphs), rows)


def _title(ahead: FlagsAhead, glyphs: Glyphs) -> Text:
    title = Text.assemble((ahead.environment, "bold"), "  document ")
    if ahead.base:
        title.append(f"{ahead.base} {glyphs.arrow} ")
    title.append(str(ahead.candidate), "bold")
    agents = "1 agent" if ahead.agents == 1 else f"{ahead.agents:,} agents"
    reported = "" if ahead.reported is None else f", {ahead.reported:,.0f} requests a second"
    return title.append(f"  {agents}{reported}", "dim")


def _change(change: ChangeAhead) -> Text:
    text = Text.assemble(f"{change.thing} ", (change.name, "bold"), (f" ({change.kind})", "dim"))
    for sentence in change.sentences:
        text.append(f"\n  {sentence}")
    return text


def unprotected(ahead: FlagsAhead) -> str:
    """Why nobody would take this change back by himself; "" when somebody would, or nobody gets it."""
    replaces = bool(ahead.base and ahead.changes)
    found, led = ahead.guards, ahead.led
    return nothing_protects(replaces=replaces, agents=ahead.agents, reported=ahead.reported, guards=found, led=led)
