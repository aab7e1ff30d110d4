"""The live picture of a rollout: one look, nothing remembered. Fits 60 columns and terminals without UTF-8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tidegate.cli.answers import Event, Guard, Rollout, Side
from tidegate.cli.comparison_view import NAME, compared
from tidegate.cli.ending import harm_in_short
from tidegate.cli.figures import NONE, clock, milliseconds, rate, share, span
from tidegate.cli.plan_strip import bar, strip
from tidegate.cli.screen import Glyphs
from tidegate.core.environment import is_environment

TIDY = "tidy"
"""Decisions about what an ended rollout owes: they are in `tidegate explain`, and of no interest to who waits for the end."""
WIDEST = 100
LAST = 4
STYLES = {"completed": "bold green", "rolling_back": "bold red", "rolled_back": "bold red", "watching": "bold cyan"}
GUARD_STYLES = {"ok": "green", "firing": "bold red", "blind": "yellow", "held": "yellow", "no_data": "yellow"}


@dataclass(frozen=True, slots=True)
class Picture:
    """`lost` is for how many seconds nothing was heard, `problem` what troubles the controller; 0 and "" while all is well."""

    rollout: Rollout
    last: Sequence[Event] = ()
    lost: float = 0
    problem: str = ""


def board(picture: Picture, glyphs: Glyphs, width: int, *, foot: bool = True) -> RenderableType:
    rollout = picture.rollout
    width = min(width, WIDEST)
    parts: list[RenderableType] = [_title(rollout, glyphs), _state(rollout)]
    if rollout.baseline:
        parts += [bar(rollout, width - 1, glyphs), strip(rollout.steps, glyphs, rollout.step if rollout.in_flight else 0)]
    if rollout.baseline and rollout.in_flight:
        parts.append(_exposure(rollout))
    if rollout.baseline and rollout.in_flight and rollout.harm.requests:
        parts.append(Text.assemble(("harm      ", "dim"), harm_in_short(rollout.harm)))
    if rollout.sides:
        parts += [Text(), _sides(rollout)]
    if rollout.guards:
        parts += [Text(), _guards(rollout, glyphs)]
    if picture.last:
        parts += [Text(), _events(picture.last)]
    parts += [Text(), _foot(picture)] if foot else [Text()]
    return Group(*parts)


def _title(rollout: Rollout, glyphs: Glyphs) -> Text:
    title = Text.assemble((rollout.service, "bold"), "  ")
    if rollout.baseline:
        title.append(f"{rollout.baseline} {glyphs.arrow} ")
    part = f" of release {rollout.release}" if rollout.release else ""
    return title.append(rollout.candidate, "bold").append(f"  {rollout.id}{part}, {rollout.plan}, by {rollout.by}", "dim")


def say_phase(rollout: Rollout) -> str:
    """`watching 25%`, `paused at 25%`, `rolling back`."""
    phase = rollout.phase.replace("_", " ")
    if rollout.paused:
        return f"paused at {rollout.wanted}"
    if rollout.waiting:
        return f"waiting at {rollout.wanted}"
    return f"{phase} {rollout.wanted}" if rollout.phase in ("shifting", "watching") else phase


def _state(rollout: Rollout) -> Text:
    state = Text(say_phase(rollout), "bold yellow" if rollout.paused or rollout.waiting else STYLES.get(rollout.phase, "bold"))
    if rollout.waiting:
        return state.append(f": {rollout.waiting}", "default")
    if rollout.reason:
        return state.append(f": {rollout.reason}", "default")
    if rollout.phase in ("shifting", "watching"):
        held = f"held {span(min(rollout.watched, rollout.hold))} of {span(rollout.hold)}"
        state.append(f"  step {rollout.step} of {len(rollout.steps)}, {held}", "default")
        state.append(f"  {span(rollout.left)} left" if rollout.left else "", "bold default")
    elif rollout.phase == "preparing":
        state.append(f"  {rollout.why}", "default")
    return state


def _exposure(rollout: Rollout) -> Text:
    """Wanted, applied and served side by side: what was asked for, what the router does, what users got."""
    applied = rollout.applied if rollout.applied is not None else "not seen"
    odd = rollout.applied != rollout.wanted
    return Text.assemble(
        ("exposure  ", "dim"),
        f"wanted {rollout.wanted}   ",
        (f"applied {applied}", "yellow" if odd else ""),
        f"   served {share(rollout.served)}",
    )


def _sides(rollout: Rollout) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    of_flags = is_environment(rollout.service)  # a document has no tasks
    for name in ("", "req/s", "failed", "errors", "p99", *(() if of_flags else ("tasks",))):
        table.add_column(name, justify="left" if not name else "right", no_wrap=bool(name), overflow="fold")
    for side in rollout.sides:
        if side.version:
            table.add_row(*_side(side), *(() if of_flags else (_healthy(side),)))
    return table


def _side(side: Side) -> tuple[RenderableType, ...]:
    figures = side.figures
    failed = Text(str(figures.failed) if figures.requests else NONE, "red" if figures.failed else "")
    return side.version, rate(figures.per_second), failed, share(figures.error_rate), milliseconds(figures.p99)


def _healthy(side: Side) -> Text:
    return Text(f"{side.healthy}/{side.tasks}", "yellow" if side.healthy < side.tasks else "")


def _guards(rollout: Rollout, glyphs: Glyphs) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    seen = rollout.comparison
    for guard in rollout.guards:
        state = guard.state.replace("_", " ") if guard.rollback else f"{guard.state.replace('_', ' ')} (shown only)"
        told = compared(seen, glyphs, acts=guard.rollback) if seen is not None and guard.name == NAME else say_guard(guard)
        table.add_row(Text(state, GUARD_STYLES.get(guard.state, "dim")), guard.name, told)
    return table


def say_guard(guard: Guard) -> str:
    """`0.4%, fires above 1%` while it is well, else why it is not."""
    if guard.state != "ok" and guard.why:
        return guard.why
    limit = guard.limit and (guard.limit if guard.state == "firing" else f"fires {guard.limit}")
    return ", ".join(part for part in (guard.figure, limit) if part) or guard.why


def _events(events: Sequence[Event]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for event in events[-LAST:]:
        table.add_row(clock(event.at), say_event(event))
    return table


def say_event(event: Event) -> str:
    kind = event.kind.replace("_", " ")
    return f"{kind}: {event.why}" if event.why else kind


def _foot(picture: Picture) -> Text:
    if picture.lost:
        return Text(
            f"Tidegate has not answered for {picture.lost:.0f} s; trying again. Users go on as they are.", "bold yellow"
        )
    if picture.problem:
        return Text(f"Tidegate is in trouble: {picture.problem} (tidegate doctor)", "bold yellow")
    service = picture.rollout.service
    return Text(f"Ctrl-C leaves it running. Stop it: tidegate abort {service}", "dim")
