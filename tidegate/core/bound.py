"""Bounds of a share and surprise about a count, in closed forms that hold at zero."""

from __future__ import annotations

import numpy as np

from tidegate.core.evalue import Array


def upper_bound(bad: Array, requests: Array, z2: Array | float) -> Array:
    """Wilson's upper bound of a share at z^2: 1 without any request, about (z^2)/n after n good ones. (Wilson 1927.)"""
    share = bad / np.maximum(requests, 1e-9)
    root = np.sqrt(z2 * (bad * (1 - np.minimum(share, 1.0)) + z2 / 4))
    bound: Array = np.minimum((bad + z2 / 2 + root) / (requests + z2), 1.0)
    return bound


def surprise(seen: Array, expected: Array) -> Array:
    """How many standard deviations of a normal lie below P(Poisson(expected) >= seen): 2.05 for 2 %, 3.1 for 0.1 %.

    Wilson and Hilferty's cube root (1931), right to a few hundredths from one count on; below one there is no surprise.
    """
    some = np.maximum(seen, 1.0)
    z: Array = np.where(seen >= 0.5, 3 * np.sqrt(some) * (1 - 1 / (9 * some) - np.cbrt(expected / some)), -9.0)
    return z
