"""What the baseline's bad shares are just now: the point that bets start from.

Counts that fade with a half-life of five minutes, begun with what the history knows, and updated *after* betting: what a
block is judged by must come from before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidegate.core.evalue import TINY, Array, Flags

BELIEF, WEIGHT = 0.5, 50.0
"""Half a bad one in fifty, before anything was seen."""


@dataclass(frozen=True, slots=True, eq=False)
class PlugIn:
    """Requests, bad ones, and those far beyond the limit (`Shift.far`), of each outcome (last axis)."""

    n: Array
    e: Array
    far: Array

    @property
    def share(self) -> Array:
        return _share(self.e, self.n)

    @property
    def far_share(self) -> Array:
        return _share(self.far, self.n)


def _share(e: Array, n: Array) -> Array:
    share: Array = np.minimum(np.maximum((e + BELIEF) / (n + WEIGHT), TINY), 0.98)
    return share


def learn(plug_in: PlugIn, fresh: PlugIn, span: float, half_life: float) -> PlugIn:
    kept = 0.5 ** (span / half_life)
    return PlugIn(plug_in.n * kept + fresh.n, plug_in.e * kept + fresh.e, plug_in.far * kept + fresh.far)


def learned_at(plug_in: PlugIn, seed: PlugIn, now: Flags) -> PlugIn:
    """The same, begun anew where `now` holds: limits that were just learned bring their shares with them."""
    return PlugIn(np.where(now, seed.n, plug_in.n), np.where(now, seed.e, plug_in.e), np.where(now, seed.far, plug_in.far))
