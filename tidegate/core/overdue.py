"""Requests begun and not finished: a candidate that hangs must not be a candidate without data.

Only finished requests have a latency. So those in flight for longer than the baseline's p99.9 count as slow ones. Nobody
follows single requests; what is known is how many each side began and finished. Two bounds from below, the larger holds:

    B(t - x) - F(t)                      begun before the limit, less all that finished: right also where x is many ticks
    in flight - (y + 4 sqrt(y) + 2)      y = rate times the baseline's mean latency, what is in flight of right (Little 1961)

The *change* of this stock is what a tick counts, on both sides alike; when an overdue request ends after all, it leaves the
stock and appears in the histogram as a slow one, and so is counted once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidegate.core.evalue import Array

REMEMBERED = 64
"""Ticks whose begun requests are remembered. A limit further back than that is taken as this far back."""


@dataclass(frozen=True, slots=True, eq=False)
class Overdue:
    """Both sides on the axis before last: what was begun in each of the last ticks, and what is in flight from before."""

    begun: Array  # (..., 2, REMEMBERED), newest first
    spans: Array  # (REMEMBERED,), the same for everybody
    older: Array  # (..., 2) begun before what is remembered, less all that finished
    stock: Array  # (..., 2)

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> Overdue:
        both = (*shape, 2)
        return cls(np.zeros((*both, REMEMBERED)), np.zeros(REMEMBERED), np.zeros(both), np.zeros(both))


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """The baseline's p99.9 and its mean latency, in seconds. Unknown: infinite, and nothing is overdue for long."""

    limit: Array
    mean: Array


def pending(overdue: Overdue, span: float, mean: Array) -> Array:
    """How many of both sides' requests are in flight, by the last tick, beyond what is right and what is overdue already."""
    flying = overdue.older + overdue.begun.sum(axis=-1)
    rightly = overdue.begun[..., :2].max(axis=-1) / span * mean[..., None]
    beyond: Array = np.maximum(flying - rightly - 2 * np.sqrt(rightly) - overdue.stock, 0.0)
    return beyond


def observe(overdue: Overdue, begun: Array, finished: Array, span: float, usual: Usual) -> tuple[Overdue, Array]:
    """The stock after this tick, and how much it grew (or fell) on each side."""
    older = overdue.older + overdue.begun[..., -1] - finished
    # Who counts from the middle of the day sees requests end that he never saw begin.
    older = np.maximum(older, -overdue.begun[..., :-1].sum(axis=-1) - begun)
    newest = np.concatenate([begun[..., None], overdue.begun[..., :-1]], axis=-1)
    spans = np.concatenate([[span], overdue.spans[:-1]])
    age = spans.cumsum() - spans  # seconds that surely went by since the last request of that tick
    late = (age >= usual.limit[..., None]) & (spans > 0)
    late[..., -1] = True
    surely = older + (newest * late[..., None, :]).sum(axis=-1)
    rightly = np.maximum(begun, overdue.begun[..., 0]) / span * usual.mean[..., None]
    flying = older + newest.sum(axis=-1) - (rightly + 4 * np.sqrt(rightly) + 2)
    stock = np.maximum(np.maximum(surely, flying), 0.0)
    return Overdue(newest, spans, older, stock), stock - overdue.stock
