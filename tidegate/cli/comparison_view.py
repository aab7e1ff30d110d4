"""A comparison as people see it: its evidence against the limit, its sentence, and what both sides did."""

from __future__ import annotations

import math

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tidegate.cli.answers import Comparison, Outcome
from tidegate.cli.figures import NONE, share
from tidegate.cli.screen import Glyphs
from tidegate.core.evidence import say_evidence

NAME = "comparison"
"""Of the guard that compares."""
WIDTH = 12
SUSPICION = 0.5
"""On the scale of the bar: sqrt(1/alpha)."""


def compared(seen: Comparison, glyphs: Glyphs, *, acts: bool = True) -> Group:
    """The bar, and below it what the comparison says."""
    return Group(evidence(seen, glyphs, acts=acts), Text(seen.sentence))


def evidence(seen: Comparison, glyphs: Glyphs, *, acts: bool = True) -> Text:
    """`███░░░░░░░░░ evidence 4.6, rolls back at 1,000`; the bar by the logarithm, as evidence multiplies. `acts`: whether it
    may roll back."""
    reached = _scale(seen)
    full = min(WIDTH, round(reached * WIDTH))
    style = "bold red" if reached >= 1 else "yellow" if reached >= SUSPICION else "green"
    said = f" evidence {say_evidence(seen.evidence)}, {'rolls back at' if acts else 'limit'} {seen.limit:,.0f}"
    return Text.assemble((glyphs.full * full, style), (glyphs.empty * (WIDTH - full), "dim"), said)


def _scale(seen: Comparison) -> float:
    """0 while nothing speaks against it, 1 at the limit."""
    if seen.limit <= 1:
        return 0.0
    return min(1.0, max(0.0, math.log(max(seen.evidence, 1.0)) / math.log(seen.limit)))


def outcomes(seen: Comparison) -> Table:
    """Each outcome with the bad ones of both sides, its evidence, and that against the last day."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("", "candidate", "baseline", "evidence", "last day"):
        table.add_column(name, overflow="fold")
    for outcome in seen.outcomes:
        table.add_row(*_outcome(outcome))
    return table


def _outcome(outcome: Outcome) -> tuple[str, ...]:
    return (
        outcome.name,
        _of(outcome.candidate_bad, outcome.candidate_requests),
        _of(outcome.baseline_bad, outcome.baseline_requests),
        say_evidence(outcome.evidence),
        NONE if outcome.past is None else say_evidence(outcome.past),
    )


def _of(bad: int, requests: int) -> str:
    return f"{bad:,}/{requests:,} {share(bad / requests)}" if requests else NONE
