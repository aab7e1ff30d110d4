"""The tables that a run prints: false rollbacks, harm against the floor and against the field, the harm budget, targets."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.simulation.plan import ADAPTIVE, LINEAR
from benchmarks.simulation.scenario import STRICT

if TYPE_CHECKING:
    from benchmarks.simulation.run import Outcome

OURS = "Tidegate"
LARGE = 0.05


def print_tables(console: Console, outcomes: Sequence[Outcome]) -> None:
    if not outcomes:
        return
    print_false(console, outcomes)
    print_bounds(console, outcomes)
    print_durations(console, outcomes)
    print_harm(console, outcomes)
    print_field(console, outcomes)
    print_targets(console, outcomes)


def _sum(outcomes: Sequence[Outcome], key: Callable[[Outcome], object]) -> dict[object, list[Outcome]]:
    groups: dict[object, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[key(outcome)].append(outcome)
    return groups


def _harmed(group: Sequence[Outcome]) -> np.ndarray:
    return np.concatenate([outcome.harmed for outcome in group])


def _false(group: Sequence[Outcome]) -> tuple[int, int]:
    return sum(o.found for o in group), sum(o.rollouts for o in group)


def _show(console: Console, table: Table) -> None:
    if table.row_count:
        console.print(table)


def print_false(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Rollbacks of harmless candidates, of how many rollouts, by family and rate."""
    harmless = [o for o in outcomes if o.harmless]
    rates = sorted({o.rate for o in harmless})
    for method in sorted({o.method for o in harmless}, key=lambda m: (m != OURS, m)):
        table = Table("family", *(f"{rate:g} rps" for rate in rates), title=f"False rollbacks: {method}", title_justify="left")
        mine = _sum([o for o in harmless if o.method == method], lambda o: (o.scenario, o.rate))
        for scenario in dict.fromkeys(o.scenario for o in harmless if o.method == method):
            cells = [_false(mine.get((scenario, rate), [])) for rate in rates]
            table.add_row(scenario, *(f"{found} of {total}" if total else "" for found, total in cells))
        _show(console, table)


def print_bounds(console: Console, outcomes: Sequence[Outcome]) -> None:
    """The harmless families over all plans and rates, with what the true share may be at most (95 %, Clopper and Pearson)."""
    table = Table(
        "family", "rolled back", "share at most", "unfinished", title="False rollbacks, all plans", title_justify="left"
    )
    groups = _sum([o for o in outcomes if o.harmless and o.method == OURS], lambda o: o.scenario)
    for scenario, group in groups.items():
        found, total = _false(group)
        table.add_row(
            str(scenario), f"{found} of {total}", f"{upper_share(found, total):.2%}", str(sum(o.unfinished for o in group))
        )
    _show(console, table)


def upper_share(found: int, total: int, sure: float = 0.95) -> float:
    """The share at which so few would be found with a chance of 5 % only."""
    low, high = found / total, 1.0
    for _ in range(60):
        share = (low + high) / 2
        terms = [math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(found + 1)] if share < 1 else [0.0]
        low, high = (share, high) if sum(terms) > 1 - sure else (low, share)
    return high


def print_durations(console: Console, outcomes: Sequence[Outcome]) -> None:
    """How long a healthy rollout takes, which is the price of looking."""
    mine = [o for o in outcomes if o.method == OURS and o.scenario in ("healthy 0.1%", "healthy 1%", "bursts of 3")]
    rates = sorted({o.rate for o in mine})
    table = Table("family, plan", *(f"{rate:g} rps" for rate in rates), title="Minutes until completed", title_justify="left")
    groups = _sum(mine, lambda o: (o.scenario, o.plan, o.rate))
    for scenario, plan in dict.fromkeys((o.scenario, o.plan) for o in mine):
        cells = [np.concatenate([o.seconds for o in groups.get((scenario, plan, rate), [])] or [[]]) for rate in rates]
        table.add_row(f"{scenario}, {plan}", *(f"{np.median(cell) / 60:.1f}" if len(cell) else "" for cell in cells))
    _show(console, table)


def print_harm(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Harmed requests of a bad candidate: mean, 95th percentile, share found, and the multiple of the floor."""
    bad = [o for o in outcomes if not o.harmless and o.method == OURS]
    rates = sorted({o.rate for o in bad})
    for plan in dict.fromkeys(o.plan for o in bad):
        table = Table("fault", *(f"{rate:g} rps" for rate in rates), title=f"Harmed requests: {plan}", title_justify="left")
        groups = _sum([o for o in bad if o.plan == plan], lambda o: (o.scenario, o.rate))
        for scenario in dict.fromkeys(o.scenario for o in bad if o.plan == plan):
            table.add_row(scenario, *(_cell(groups.get((scenario, rate), [])) for rate in rates))
        _show(console, table)
    console.print("mean / p95 of harmed requests; x: of the floor; %: share found when not all; s: median seconds to detect\n")


def _cell(group: Sequence[Outcome]) -> str:
    if not group:
        return ""
    harmed, (found, total) = _harmed(group), _false(group)
    when = [second for o in group for second in o.when]
    said = f"{harmed.mean():.1f}/{np.quantile(harmed, 0.95):.0f}" if harmed.any() else ""
    said += f" {harmed.mean() / group[0].floor:.2f}x" if group[0].floor and group[0].plan == LINEAR.name else ""
    said += f" {np.median(when):.0f}s" if when else ""
    return said + (f" {found / total:.0%}" if found < total else "")


def _is_from_start(o: Outcome) -> bool:
    return not o.harmless and o.fault >= LARGE and not any(word in o.scenario for word in ("middle", "late", "outage"))


def _is_plain(o: Outcome) -> bool:
    """Errors that come one by one, for which the floor is one."""
    return _is_from_start(o) and not any(word in o.scenario for word in ("bursts", "noise"))


def ratios_to_floor(outcomes: Sequence[Outcome], rate: float, *, plain: bool = False) -> list[float]:
    """Of every large error fault under the linear plan."""
    kept = [o for o in outcomes if o.method == OURS and o.plan == LINEAR.name and o.rate == rate and o.floor]
    groups = _sum([o for o in kept if (_is_plain(o) if plain else o.fault >= LARGE)], lambda o: o.scenario)
    return [float(_harmed(group).mean() / group[0].floor) for group in groups.values() if group[0].floor]


def print_field(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Geometric means over the large faults from the start: what each method harms for each request that we harm."""
    rates = sorted({o.rate for o in outcomes})
    table = Table(
        "method", *(f"{rate:g} rps" for rate in rates), title="Harm for each request that Tidegate harms", title_justify="left"
    )
    bad = [o for o in outcomes if _is_from_start(o)]
    mine = _sum([o for o in bad if o.method == OURS and o.plan == LINEAR.name], lambda o: (o.scenario, o.rate))
    for method in dict.fromkeys(o.method for o in bad if o.method != OURS):
        theirs = _sum([o for o in bad if o.method == method], lambda o: (o.scenario, o.rate))
        cells = []
        for rate in rates:
            pairs = [(theirs[key], mine[key]) for key in theirs if key in mine and key[1] == rate]  # type: ignore[index]
            both = [np.log(_harmed(t).mean() / max(_harmed(m).mean(), 0.1)) for t, m in pairs]
            cells.append(_times(float(np.exp(np.mean(both)))) if both else "")
        table.add_row(method, *cells)
    _show(console, table)


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def print_targets(console: Console, outcomes: Sequence[Outcome]) -> None:
    """COMPARISON.md section 5, and where this run stands."""
    mine = [o for o in outcomes if o.method == OURS]
    table = Table("target", "wanted", "this run", title="Targets", title_justify="left")
    found, total = _false([o for o in mine if o.scenario in STRICT])
    if total:
        said = f"{found} of {total}, at most {upper_share(found, total):.2%}"
        table.add_row("false rollbacks: healthy, noisy, daily, +5 % slower, bursts", "<= 0.1 %", said)
    for plain in (True, False):
        ratios = {rate: ratios_to_floor(outcomes, rate, plain=plain) for rate in sorted({o.rate for o in mine})}
        said = ", ".join(f"{np.exp(np.mean(np.log(found))):.2f} at {rate:g}" for rate, found in ratios.items() if found)
        which = "plain faults from the start" if plain else "also in bursts and noise, in the middle and late"
        if said:
            table.add_row(f"harm against the floor, 5 % and more: {which}", "<= 1.5", said)
    for said, chosen in (
        ("plain faults", _is_plain),
        ("also in bursts and noise", _is_from_start),
        ("hanging", lambda o: o.scenario.startswith("hangs")),
    ):
        _add_budget(table, said, [o for o in mine if chosen(o) and o.plan == ADAPTIVE.name and 100 <= o.rate <= 10_000])
    outage = [o for o in mine if o.harmless and "outage" in o.scenario and o.rate >= 10]
    found, total = _false(outage)
    if total:
        table.add_row("shared outage blamed, >= 10 rps", "<= 1 %", f"{found} of {total}")
    _show(console, table)


def _add_budget(table: Table, said: str, outcomes: Sequence[Outcome]) -> None:
    by_cell = _sum(outcomes, lambda o: (o.scenario, o.rate))
    if not by_cell:
        return
    means = {key: _harmed(group).mean() for key, group in by_cell.items()}
    tails = {key: np.quantile(_harmed(group), 0.95) for key, group in by_cell.items()}
    within = sum(means[key] <= 12 and tails[key] <= 20 for key in by_cell)
    table.add_row(
        f"harm budget 10, from the start, 100 to 10,000 rps: {said}",
        "<= 12 mean, <= 20 p95",
        f"{max(means.values()):.1f} mean, {max(tails.values()):.1f} p95 at worst; {within} of {len(by_cell)} cells within",
    )
