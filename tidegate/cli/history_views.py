"""Rollouts that were, as a table, and one of them decision by decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tidegate.cli.answers import Comparison, Event, Guard, Rollout, read_as
from tidegate.cli.board import GUARD_STYLES, STYLES, TIDY, say_event, say_guard, say_phase
from tidegate.cli.comparison_view import NAME, compared, evidence, outcomes
from tidegate.cli.ending import ended, harm_in_short, say_ending
from tidegate.cli.figures import clock, day, milliseconds, moment, share, span
from tidegate.cli.plan_strip import strip
from tidegate.cli.screen import Glyphs, clean_line
from tidegate.core.duration import parse_duration


def all_rollouts(rollouts: Sequence[Rollout], glyphs: Glyphs) -> Group:
    """A line for each that can be compared with the others, and under it why it went so and whom it harmed."""
    heads = [_head(one, glyphs) for one in rollouts]
    widths = [max(len(head[column]) for head in heads) for column in range(len(heads[0]))]
    parts: list[RenderableType] = []
    for one, head in zip(rollouts, heads, strict=True):
        line = Text("  ".join(word.ljust(width) for word, width in zip(head, widths, strict=True)).rstrip())
        line.stylize("bold", 0, len(one.id))
        line.stylize(STYLES.get(one.phase, "bold"), sum(widths[:2]) + 4, sum(widths[:3]) + 4)
        parts += [line, *(Padding(Text(told, "dim"), (0, 0, 0, widths[0] + 2)) for told in _told(one))]
    return Group(*parts)


def _head(one: Rollout, glyphs: Glyphs) -> tuple[str, ...]:
    versions = f"{one.baseline} {glyphs.arrow} {one.candidate}" if one.baseline else one.candidate
    took = span(one.ended - one.created) if one.ended else ""
    return one.id, versions, say_phase(one), day(one.created), took, one.by


def _told(one: Rollout) -> list[str]:
    told = [one.reason] if one.reason else []
    return [*told, harm_in_short(one.harm)] if one.harm.requests else told


def explained(rollout: Rollout, events: Sequence[Event], glyphs: Glyphs) -> Group:
    versions = f"{rollout.baseline} {glyphs.arrow} {rollout.candidate}" if rollout.baseline else rollout.candidate
    parts: list[RenderableType] = [
        Text.assemble((rollout.id, "bold"), f"  {versions}  ", (f"{rollout.plan}, by {rollout.by}", "dim")),
        strip(rollout.steps, glyphs),
        Text(moment(rollout.created), "dim"),
        Text(),
    ]
    told = _told_whole(events) if rollout.comparison is None else None
    for event in events:
        parts += _decision(event, glyphs, whole=event is told)
    end = say_ending(rollout) if ended(rollout) is not None else [f"It goes on: {say_phase(rollout)}."]
    parts += [Text(), *(Text(line, "bold" if number == 0 else "") for number, line in enumerate(end))]
    if rollout.comparison is not None:
        parts += [Text(), compared(rollout.comparison, glyphs), outcomes(rollout.comparison)]
    return Group(*parts)


def _told_whole(events: Sequence[Event]) -> Event | None:
    """The decision at which every outcome is told: that which took it back, else the last one that compared."""
    comparing = [event for event in events if event.facts.get("comparison")]
    back = [event for event in comparing if event.kind == "roll_back"]
    return next(iter([*back, *reversed(comparing)]), None)


def _decision(event: Event, glyphs: Glyphs, *, whole: bool) -> list[RenderableType]:
    by = "" if event.actor == "tidegate" else f"  (by {event.actor})"
    if event.kind == TIDY:
        return [Text(f"{clock(event.at)}  {say_event(event)}", "dim")]
    said = Table.grid(padding=(0, 2))
    said.add_row(Text(clock(event.at), "dim"), Text.assemble((say_event(event), "bold"), (by, "dim")))
    content = event.facts.get("comparison")
    seen = read_as(Comparison, content) if isinstance(content, dict) else None
    lines: list[RenderableType] = [*_exposure(event.facts), *_sides(event.facts), *_guards(event, seen, glyphs)]
    lines += [outcomes(seen)] if whole and seen is not None else []
    return [said, *(Padding(line, (0, 0, 0, 10)) for line in lines)]


def _exposure(facts: dict[str, Any]) -> list[Text]:
    if "wanted" not in facts:
        return []
    said = f"wanted {facts['wanted']}, applied {facts.get('applied') or 'not seen'}"
    watched = span(parse_duration(str(facts.get("watched", "0s"))))
    return [Text(clean_line(said + (f", watched {watched}" if watched != "0s" else "")), "dim")]


def _sides(facts: dict[str, Any]) -> list[Text]:
    sides = facts.get("sides")
    if not isinstance(sides, dict):
        return []
    return [
        Text(clean_line(f"{name}: {_figures(figures)}"), "dim")
        for name, figures in sides.items()
        if isinstance(figures, dict) and figures.get("requests")
    ]


def _figures(figures: dict[str, Any]) -> str:
    errors, p99 = share(figures.get("error_rate")), milliseconds(figures.get("p99"))
    return f"{figures['requests']:,} requests, {figures.get('failed', 0):,} failed ({errors}), p99 {p99}"


def _guards(event: Event, seen: Comparison | None, glyphs: Glyphs) -> list[RenderableType]:
    guards = [read_as(Guard, guard) for guard in event.facts.get("guards") or [] if isinstance(guard, dict)]
    return [_guard(guard) if seen is None or guard.name != NAME else _compared(event, guard, seen, glyphs) for guard in guards]


def _guard(guard: Guard) -> Text:
    return Text.assemble(_state(guard), f"  {guard.name}", (f"  {say_guard(guard)}", "dim"))


def _compared(event: Event, guard: Guard, seen: Comparison, glyphs: Glyphs) -> Text:
    """With its sentence, unless the decision says that already."""
    said = "" if seen.sentence in event.why else f": {seen.sentence}"
    return Text.assemble(_state(guard), f"  {guard.name}  ", evidence(seen, glyphs, acts=guard.rollback), (said, "dim"))


def _state(guard: Guard) -> tuple[str, str]:
    return guard.state.replace("_", " "), GUARD_STYLES.get(guard.state, "dim")
