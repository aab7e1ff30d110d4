"""The block e-value: evidence against "harmless" from what both sides did at the same moments.

A *block* counts `n_c` requests of the candidate, `e_c` of them bad, and `n_b`, `e_b` of the baseline. Harmless is the null

    p_c <= rho * p_b + delta

and an alternative is a point (c1, b1) outside of it. The point of the null's edge that is nearest to it, in the direction
in which data make up their mind (the reverse information projection), is

    (c0, b0) = argmin over c = rho*b + delta of  n_c KL(c1 || c) + n_b KL(b1 || b)

and the evidence of a block is the likelihood ratio against that one point:

    S = (c1/c0)^e_c ((1-c1)/(1-c0))^(n_c-e_c) (b1/b0)^e_b ((1-b1)/(1-b0))^(n_b-e_b)

E[S] <= 1 for every (p_c, p_b) in the null: E[S] = A^n_c B^n_b with A, B linear in p_c, p_b; by AM-GM it is at most
((n_c A + n_b B)/n)^n, which is 1 at (c0, b0), and the first-order condition of the projection keeps it there along the edge
and below inside. So rates may drift in any way from block to block. (Turner, Ly and Gruenwald, "Generic E-variables for
exact sequential k-sample tests", JSPI 230, 2024; the margin and unequal sides are ours.)

The same holds for the other half plane, "worse by a margin" (c >= rho*b + delta), which `early` uses.

All functions are plain array arithmetic over whatever axes come in: alternatives, quantiles, many rollouts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

TINY = 1e-6
"""No rate is held to be smaller: a plug-in of 0 would make its first error impossible, and the e-value 0 or infinite."""
_ROUNDS = 60
_THIRD_OF_A_TURN = 2 * np.pi / 3


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What both sides did at the same moments: requests and bad ones among them."""

    n_c: Array
    e_c: Array
    n_b: Array
    e_b: Array


class Point(NamedTuple):
    """A bad share of the candidate and one of the baseline."""

    c: Array
    b: Array


class Margin(NamedTuple):
    """How much worse is still harmless: `rho` times the baseline's share plus `delta`."""

    rho: Array | float
    delta: Array | float

    def edge(self, b: Array) -> Array:
        edge: Array = self.rho * b + self.delta
        return edge


@dataclass(frozen=True, slots=True, eq=False)
class Wager:
    """Shares `c` of the candidate that are bet on, on the last axis; `e_c` its bad requests that count for them; `edge` the
    share at which the null ends, and `delta` its margin's points (last axes of one)."""

    c: Array
    e_c: Array
    edge: Array
    delta: Array


def logit(p: Array) -> Array:
    return np.log(p / (1 - p))


def expit(x: Array) -> Array:
    """1 / (1 + e^-x), written so that no side overflows."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def log_evalue(block: Block, toward: Point, against: Point) -> Array:
    """ln S of a block for the alternative `toward` and the null's point `against`. 0 for an empty block."""
    total: Array = (
        block.e_c * np.log(toward.c / against.c)
        + (block.n_c - block.e_c) * (np.log1p(-toward.c) - np.log1p(-against.c))
        + block.e_b * np.log(toward.b / against.b)
        + (block.n_b - block.e_b) * (np.log1p(-toward.b) - np.log1p(-against.b))
    )
    return total


def log_evalues(block: Block, b: Array, rho: Array | float, wagers: Sequence[Wager]) -> Sequence[Array]:
    """ln S of a block for each of these wagers, at the baseline's share `b`; without meaning where a side has no requests.

    At one go, for to project ten points takes no longer than one.
    """
    widths = [wager.c.shape[-1] for wager in wagers]
    e_c, delta = (_beside([getattr(wager, name) for wager in wagers], wagers) for name in ("e_c", "delta"))
    wide = Block(np.maximum(block.n_c, 1.0)[..., None], e_c, np.maximum(block.n_b, 1.0)[..., None], block.e_b[..., None])
    toward = Point(np.concatenate([wager.c for wager in wagers], axis=-1), b[..., None])
    log_s = log_evalue(wide, toward, project(wide, toward, Margin(np.asarray(rho)[..., None], delta)))
    ends = list(accumulate(widths))
    return [log_s[..., end - width : end] for width, end in zip(widths, ends, strict=True)]


def _beside(parts: Sequence[Array], wagers: Sequence[Wager]) -> Array:
    return np.concatenate([part + np.zeros(wager.c.shape) for part, wager in zip(parts, wagers, strict=True)], axis=-1)


def project(block: Block, toward: Point, margin: Margin) -> Point:
    """(c0, b0): the edge's point nearest to `toward`. Needs n_c, n_b > 0 and shares strictly between 0 and 1.

    The first-order condition, cleared of its fractions, is a cubic in b with three real roots; ours is the middle one, and
    the only one between b1 and (c1 - delta)/rho. The closed form loses digits where roots lie close together (rates near
    0), so a bracketed Newton search finishes it; one or two rounds are the rule.
    """
    w_c = block.n_c / (block.n_c + block.n_b)
    other = (toward.c - margin.delta) / margin.rho
    low = np.maximum(np.minimum(toward.b, other), 0.0)
    high = np.minimum(np.maximum(toward.b, other), (1 - margin.delta) / margin.rho)
    b = np.minimum(np.maximum(_middle_root(w_c, toward, margin), low), high)
    for _ in range(_ROUNDS):
        value, slope = _condition(b, w_c, toward, margin)
        left, rises = value < 0, slope > 0
        low, high = np.where(left, b, low), np.where(left, high, b)
        step = b - value / np.where(rises, slope, 1.0)
        after = np.where(rises & (step >= low) & (step <= high), step, 0.5 * (low + high))
        moved = np.abs(after - b)
        b = after
        # Newton squares its error: what moved by 1e-9 of itself is right to the last digit.
        if (moved <= 1e-9 * b).all():
            break
    return Point(margin.edge(b), b)


def _condition(b: Array, w_c: Array, toward: Point, margin: Margin) -> tuple[Array, Array]:
    """The derivative of the divergence along the edge, times b(1-b)c(1-c), and its slope. Negative left of the root."""
    c, w_b = margin.edge(b), 1 - w_c
    on_b, on_c = b * (1 - b), c * (1 - c)
    off_c, off_b = w_c * margin.rho * (c - toward.c), w_b * (b - toward.b)
    value = off_c * on_b + off_b * on_c
    slope = margin.rho * (w_c * margin.rho * on_b + off_b * (1 - 2 * c)) + off_c * (1 - 2 * b) + w_b * on_c
    return value, slope


def _middle_root(w_c: Array, toward: Point, margin: Margin) -> Array:
    """The middle of the three real roots of the same cubic, by Viete's cosines."""
    rho, delta = margin
    w_b = 1 - w_c
    d, spread, lean = delta - toward.c, delta * (1 - delta), 1 - 2 * delta
    a2 = -(w_c * (rho - d) + w_b * (lean + toward.b * rho)) / rho
    a1 = -(w_c * rho * d + w_b * (spread - toward.b * rho * lean)) / (rho * rho)
    a0 = w_b * toward.b * spread / (rho * rho)
    q = np.maximum((a2 * a2 - 3 * a1) / 9, 1e-300)
    r = (2 * a2 * a2 * a2 - 9 * a2 * a1 + 27 * a0) / 54
    root = np.sqrt(q)
    angle = np.arccos(np.minimum(np.maximum(r / (q * root), -1.0), 1.0))
    middle: Array = -2 * root * np.cos(angle / 3 - _THIRD_OF_A_TURN) - a2 / 3
    return middle
