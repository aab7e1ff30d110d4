"""Services as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tidegate.cli.answers import Guard, Rollout, Service, Task
from tidegate.cli.board import GUARD_STYLES, STYLES, Picture, board, say_guard, say_phase
from tidegate.cli.ending import say_ending
from tidegate.cli.figures import milliseconds, moment, rate, share
from tidegate.cli.screen import Glyphs

WIDE = 90
"""Columns from which on there is room for the address."""
TASK_STYLES = {"healthy": "green", "unhealthy": "red", "dead": "red", "failed": "red"}


def all_services(services: Sequence[Service], glyphs: Glyphs, width: int) -> Table:
    table = plain_table(
        "service", "version", "rollout", ">tasks", ">req/s", ">errors", ">p99", *(["url"] if width >= WIDE else [])
    )
    for service in services:
        figures = service.figures
        row: list[RenderableType] = [
            Text(service.name, "bold"),
            service.stable or "-",
            _rollout(service.rollout, glyphs),
            _healthy(service.tasks),
            rate(figures.per_second),
            share(figures.error_rate),
            milliseconds(figures.p99),
        ]
        table.add_row(*row, *([service.url] if width >= WIDE else []))
    return table


def plain_table(*columns: str) -> Table:
    """Without lines. `>name` is aligned to the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in columns:
        right = name.startswith(">")
        table.add_column(name.removeprefix(">"), justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table


def _rollout(rollout: Rollout | None, glyphs: Glyphs) -> Text:
    if rollout is None or not rollout.in_flight:
        return Text("-", "dim")
    return Text(f"{glyphs.arrow} {rollout.candidate} {say_phase(rollout)}", STYLES.get(rollout.phase, "bold"))


def _healthy(tasks: Sequence[Task]) -> Text:
    living = [task for task in tasks if task.state != "stopping"]
    healthy = sum(task.state == "healthy" for task in living)
    return Text(f"{healthy}/{len(living)}", "" if healthy == len(living) else "yellow")


def one_service(service: Service, glyphs: Glyphs, width: int) -> Group:
    figures = service.figures
    counted = f"{rate(figures.per_second)} req/s, {share(figures.error_rate)} errors, p99 {milliseconds(figures.p99)}"
    parts: list[RenderableType] = [
        Text.assemble((service.name, "bold"), f"  {service.stable or 'nothing serves yet'}  ", (service.url, "dim")),
        Text(counted),
    ]
    if service.tasks:
        parts += [Text(), _tasks(service.tasks)]
    if service.alarms:
        parts += [Text(), alarms_of(service.alarms)]
    if service.rollout is not None:
        parts += [Text(), *last_rollout(service.rollout, glyphs, width)]
    return Group(*parts)


def _tasks(tasks: Sequence[Task]) -> Table:
    table = plain_table("task", "state", "address", ">restarts", "")
    for task in tasks:
        state = Text(task.state, TASK_STYLES.get(task.state, "yellow"))
        table.add_row(task.id, state, f"{task.host}:{task.port}", str(task.restarts), task.why)
    return table


def alarms_of(alarms: Sequence[Guard], service: str = "") -> Table:
    table = plain_table(*(["service"] if service else []), "alarm", "state", "")
    add_alarms(table, alarms, service)
    return table


def add_alarms(table: Table, alarms: Sequence[Guard], service: str = "") -> None:
    for alarm in alarms:
        state = Text(alarm.state.replace("_", " "), GUARD_STYLES.get(alarm.state, "dim"))
        table.add_row(*([service] if service else []), alarm.name, state, say_guard(alarm))


def last_rollout(rollout: Rollout, glyphs: Glyphs, width: int) -> list[RenderableType]:
    if rollout.in_flight:
        return [board(Picture(rollout), glyphs, width, foot=False)]
    when = moment(rollout.ended) if rollout.ended else ""
    return [Text(f"{rollout.id}, ended {when}:", "dim"), *(Text(line) for line in say_ending(rollout))]
