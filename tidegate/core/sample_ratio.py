"""Does the candidate get the share of the requests that it should? If not, the split or the counting is wrong.

An e-process for two categories: a Dirichlet prior (here: Beta) on the share against the share that fits best within what is
allowed, while the exposure stays, and the product over exposures:

    E = B(a + n_c, b + n_b) / B(a, b) / max over allowed p of p^n_c (1-p)^n_b

(Lindon and Malek 2022 for the multinomial case; the maximum in the denominator makes a null with a width of it.) The width
matters: an exposure is a share of *users*, some are ten times busier than others, and a small share of few users is a
matter of luck. Allowed is a fifth of the exposure and three standard deviations of a draw of `users` users.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tidegate.core.evalue import TINY, Array, Flags


@dataclass(frozen=True, slots=True)
class RatioSettings:
    width: float = 0.2
    users: float = 300.0
    strength: float = 20.0
    """How many requests the prior around the planned share is worth."""


@dataclass(frozen=True, slots=True, eq=False)
class SampleRatio:
    """Requests begun at the present exposure, and ln E of the exposures before."""

    n_c: Array
    n_b: Array
    before: Array
    log_e: Array

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> SampleRatio:
        return cls(*(np.zeros(shape) for _ in range(4)))


def observe(
    ratio: SampleRatio, n_c: Array, n_b: Array, exposure: Array, *, changed: Flags, settings: RatioSettings
) -> SampleRatio:
    """After one tick. Without a baseline by plan, or without a candidate, there is no ratio and nothing is counted.

    Of the tick in which the exposure changed nobody knows how much of it was before: it is not counted either.
    """
    before = np.where(changed, ratio.log_e, ratio.before)
    split = (exposure > 0) & (exposure < 1)
    n_c = np.where(changed, 0.0, ratio.n_c + np.where(split, n_c, 0.0))
    n_b = np.where(changed, 0.0, ratio.n_b + np.where(split, n_b, 0.0))
    w = np.minimum(np.maximum(exposure, TINY), 1 - TINY)
    wide = settings.width * w * (1 - w) + 3 * np.sqrt(w * (1 - w) / settings.users)
    low, high = np.maximum(w - wide, TINY), np.minimum(w + wide, 1 - TINY)
    p = np.minimum(np.maximum(n_c / np.maximum(n_c + n_b, 1.0), low), high)
    a, b = settings.strength * w, settings.strength * (1 - w)
    ours, theirs = a + n_c, b + n_b
    gamma = _log_gamma(np.array([ours, theirs, ours + theirs, a, b, a + b]))
    now = (gamma[0] + gamma[1] - gamma[2]) - (gamma[3] + gamma[4] - gamma[5]) - n_c * np.log(p) - n_b * np.log1p(-p)
    return SampleRatio(n_c, n_b, before, np.where(n_c + n_b > 0, before + now, before))


def _log_gamma(x: Array) -> Array:
    """Stirling's series, seven steps up where it is right to 13 digits. (Needs x > 0.)"""
    up = x + 7
    steps = np.log(x * (x + 1) * (x + 2) * (x + 3) * (x + 4) * (x + 5) * (x + 6))
    tail = 1 / (12 * up) * (1 - 1 / (30 * up**2) * (1 - 2 / (7 * up**2)))
    value: Array = (up - 0.5) * np.log(up) - up + 0.5 * math.log(2 * math.pi) + tail - steps
    return value
