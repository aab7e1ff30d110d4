"""What a deploy will do, said before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tidegate.cli.answers import GuardAhead, Preview, Step
from tidegate.cli.figures import span
from tidegate.cli.plan_strip import strip
from tidegate.cli.screen import Glyphs


class Ahead(Protocol):
    """What versions and flags have in common before they begin."""

    @property
    def steps(self) -> Sequence[Step]: ...

    @property
    def duration(self) -> timedelta: ...

    @property
    def shortest(self) -> timedelta | None: ...

    @property
    def deadline(self) -> timedelta: ...

    @property
    def guards(self) -> Sequence[GuardAhead]: ...

    @property
    def warnings(self) -> Sequence[str]: ...


def ahead(preview: Preview, glyphs: Glyphs) -> Group:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()
    if preview.baseline:
        add_plan(rows, preview, glyphs)
        add_guards(rows, preview)
    else:
        rows.add_row("plan", "the first version serves everybody as soon as it is healthy: there is nothing to protect")
    rows.add_row("stop it", f"tidegate abort {preview.service}")
    return Group(_title(preview, glyphs), rows)


def _title(preview: Preview, glyphs: Glyphs) -> Text:
    tasks = "1 task" if preview.tasks == 1 else f"{preview.tasks} tasks"
    title = Text.assemble((preview.service, "bold"), "  ")
    if preview.baseline:
        title.append(f"{preview.baseline} {glyphs.arrow} ")
    return title.append(preview.candidate, "bold").append(f"  {tasks}, {preview.url}", "dim")


def add_plan(rows: Table, preview: Ahead, glyphs: Glyphs) -> None:
    rows.add_row("plan", strip(preview.steps, glyphs))
    well = f"{_lasting(preview)} when all goes well"
    rows.add_row("takes", f"{well}; rolls back by itself if not done in {span(preview.deadline)}")


def add_guards(rows: Table, preview: Ahead) -> None:
    for number, guard in enumerate(preview.guards):
        rows.add_row("guards" if number == 0 else "", say_ahead(guard))
    for warning in preview.warnings:
        rows.add_row(Text("beware", "yellow"), warning)


def _lasting(preview: Ahead) -> str:
    if preview.shortest is None or preview.shortest >= preview.duration:
        return span(preview.duration)
    return f"between {span(preview.shortest)} and {span(preview.duration)}"


def say_ahead(guard: GuardAhead) -> Text:
    armed, style = _ARMED.get(guard.armed, ("armed", "dim"))
    if not guard.rollback:
        armed, style = "shown only", "dim"
    elif guard.armed == "yes" and guard.state == "blind":
        armed, style = "armed, but its source does not answer", "yellow"
    elif guard.why and not guard.state:
        armed = f"{'not armed' if guard.armed == 'no' else 'armed'}: {guard.why}"
    now = f", now {guard.figure}" if guard.figure else ""
    return Text(f"{guard.name}: {guard.said} ").append(f"({armed}{now})", style)


_ARMED = {
    "refused": ("fires already: this will be refused", "bold red"),
    "no": ("not armed: it fires already", "yellow"),
    "later": ("fires already, armed once it was well", "yellow"),
}


def unprotected(preview: Preview) -> str:
    """Why nobody would take this version back by himself; "" when somebody would, or it is the first one."""
    armed = [guard for guard in preview.guards[1:] if guard.rollback and guard.armed != "no"]
    if armed or not preview.baseline or preview.steps[0].exposure != "100%":
        return ""
    return f"Everybody gets {preview.candidate} of {preview.service} at once, and no guard looks."
