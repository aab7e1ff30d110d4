"""A plan as one strip of steps with their times, and as a bar that fills."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from rich.text import Text

from tidegate.cli.answers import Rollout, Step
from tidegate.cli.figures import span
from tidegate.cli.screen import Glyphs

MOST_SHOWN = 12


def strip(steps: Sequence[Step], glyphs: Glyphs, now: int = 0) -> Text:
    """`25% 1m › 50% › 75% › 100% 5m`: a time stands where it changes. `now` is the step that is marked, from 1."""
    said, before = Text(), ""
    for number, step in _shown(steps):
        if said:
            said.append(f" {glyphs.then} ", "dim")
        if step is None:
            said.append(glyphs.more, "dim")
            continue
        style = "bold reverse" if number == now else "dim" if number < now else ""
        said.append(_step(step, said_before=before), style)
        before = _held(step)
    return said


def _held(step: Step) -> str:
    """`1m`, or `14s-1m10s` where the step may end early."""
    return span(step.hold) if step.least is None else f"{span(step.least)}-{span(step.hold)}"


def _step(step: Step, *, said_before: str) -> str:
    said = f"{step.exposure} {_held(step)}" if _held(step) != said_before else step.exposure
    return said + (" hook" if step.hook else "") + (" gate" if step.gate else "")


def _shown(steps: Sequence[Step]) -> list[tuple[int, Step | None]]:
    """All of a short plan; of a long one its beginning and its end."""
    numbered: list[tuple[int, Step | None]] = list(enumerate(steps, 1))
    if len(numbered) <= MOST_SHOWN:
        return numbered
    return [*numbered[:8], (0, None), *numbered[-3:]]


def progress(rollout: Rollout) -> float:
    """How much of the plan is done, by time; by steps when it has no times."""
    if rollout.phase in ("completed", "preparing"):
        return float(rollout.phase == "completed")
    done = rollout.steps[: max(0, rollout.step - 1)]
    total = sum((step.hold for step in rollout.steps), timedelta(0))
    if not total:
        return len(done) / len(rollout.steps) if rollout.steps else 0.0
    passed = sum((step.hold for step in done), timedelta(0)) + min(rollout.watched, rollout.hold)
    return min(1.0, passed / total)


def bar(rollout: Rollout, width: int, glyphs: Glyphs) -> Text:
    full = round(progress(rollout) * width)
    style = {"completed": "green", "rolling_back": "red", "rolled_back": "red"}.get(rollout.phase, "cyan")
    return Text.assemble((glyphs.full * full, style), (glyphs.empty * (width - full), "dim"))
