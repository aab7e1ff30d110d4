"""The simulation that judges the comparison: families of worlds, three plans, five rates of traffic, and the field beside it.

    python -m benchmarks.simulation.run                      quick: less than a minute, a glance
    python -m benchmarks.simulation.run --full --cache DIR   every family, rate and plan, for the night; goes on where it ended
    python -m benchmarks.simulation.run --tune               only the families and seeds on which the parameters were frozen

Parameters were frozen with seeds below 100 and from 1,000,000; what is printed by default is judged with seeds from
3,000,000, on all families. Seeds depend on nothing but the task, so every number can be had again. What DIR holds is taken as
it is: begin a new one when the code has changed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.simulation import ours
from benchmarks.simulation.floor import floor
from benchmarks.simulation.opponents import KAYENTA_PLAN, Kayenta, rules
from benchmarks.simulation.opponents import simulate as simulate_opponent
from benchmarks.simulation.plan import ADAPTIVE, LINEAR, PLANS, SimPlan
from benchmarks.simulation.scenario import SCENARIOS, STRICT, Scenario, Use, named, without_fault
from benchmarks.simulation.tables import print_tables

OURS = "Tidegate"
RATES = (1.0, 10.0, 100.0, 1000.0, 10_000.0)
MANY = 200
"""Rollouts a task: many enough for a mean, few enough to be quick in the machine's cache."""
BUSY = 100.0
SEEDS = {Use.TUNE: 1_000_000, Use.JUDGE: 3_000_000}


@dataclass(frozen=True)
class Task:
    method: str
    scenario: str
    plan: str
    rate: float
    rollouts: int
    part: int
    use: Use


@dataclass(frozen=True)
class Outcome:
    """`found`: rollouts that were rolled back, `unfinished`: those that never ended. `harmed` and `seconds`: of each rollout.
    `floor`: what the best rule would have harmed."""

    method: str
    scenario: str
    plan: str
    rate: float
    rollouts: int
    found: int
    unfinished: int
    harmed: list[float]
    when: list[float]
    seconds: list[float]
    floor: float | None
    harmless: bool
    fault: float


def perform(task: Task) -> Outcome:
    scenario = named(task.scenario)
    plan = next(plan for plan in (*PLANS, KAYENTA_PLAN) if plan.name == task.plan)
    seed = SEEDS[task.use] + _number(task.scenario, task.plan, task.rate, task.part) % 900_000
    if task.method == OURS:
        # Worlds that differ in the candidate only have had the same days.
        day = SEEDS[task.use] + 900_000 + _number(without_fault(scenario), task.rate, task.part) % 90_000
        result = ours.simulate(scenario, plan, task.rate, rollouts=task.rollouts, seed=seed, day=day)
        unfinished = int((np.isnan(result.found) & (result.completed == 0)).sum())
    else:
        rule = next(rule for rule in (*rules(), Kayenta()) if rule.name == task.method)
        result = simulate_opponent(rule, scenario, plan, task.rate, rollouts=task.rollouts, seed=seed)
        unfinished = 0
    found = result.found[~np.isnan(result.found)]
    is_judged = scenario.fault and not scenario.harmless and plan is not KAYENTA_PLAN
    return Outcome(
        task.method,
        task.scenario,
        task.plan,
        task.rate,
        task.rollouts,
        len(found),
        unfinished,
        [float(x) for x in result.harmed],
        [float(x) for x in found],
        [float(x) for x in result.seconds],
        floor(scenario, plan, task.rate) if is_judged else None,
        scenario.harmless,
        scenario.fault,
    )


def _number(*parts: object) -> int:
    return zlib.crc32("".join(str(part) for part in parts).encode())


# --- What is asked ------------------------------------------------------------------------------------------------

SECTIONS = ("false", "harm", "budget", "field", "rest", "more")
"""In order of importance."""


def quick() -> list[Task]:
    """A minute's glance: few rollouts of the most telling cells."""
    few = 24
    found = [_ours(named(name), LINEAR, 100.0, rollouts=few) for name in ("healthy 0.1%", "bursts of 3")]
    for rate in (10.0, 1000.0):
        names = ("fault 5%", "fault 20%", "fault 100%", "hangs 20%")
        found += [_ours(named(name), LINEAR, rate, rollouts=few) for name in names]
        found += [_theirs(rule.name, named(name), rate, few) for rule in rules() for name in names[:3]]
    those = ("healthy 0.1%", "shared outage 10%", "fault 5%", "fault 20%", "fault 100%", "fault 20% in bursts", "hangs 20%")
    return found + [_ours(named(name), ADAPTIVE, 1000.0, rollouts=few) for name in those]


def full(sections: Sequence[str], more: int) -> list[Task]:
    """Everything, the most important first. `more`: how often the harmless families are run again."""
    found: list[Task] = []
    for section in sections:
        match section:
            case "false":
                found += _false(part=0)
            case "harm":
                found += [task for s in _from_start() for rate in RATES for task in _beside(s, rate)]
            case "budget":
                found += [_ours(s, ADAPTIVE, rate) for s in _from_start() for rate in (100.0, 1000.0, 10_000.0)]
            case "field":
                found += _field()
            case "rest":
                found += _rest()
            case "more":
                found += [task for part in range(1, more + 1) for task in _false(part)]
    return list(dict.fromkeys(found))


def tune(rollouts: int) -> list[Task]:
    scenarios = [scenario for scenario in SCENARIOS if scenario.use is Use.TUNE]
    return [_ours(s, plan, rate, rollouts=rollouts, use=Use.TUNE) for s in scenarios for rate in RATES for plan in PLANS]


def _false(part: int) -> list[Task]:
    """3,000 of each family: none of them rolled back says "at most 0.1 %" with 95 % confidence. Slow traffic and slow plans
    take the longest to simulate, and get fewer."""
    found = []
    for rate in sorted(RATES, key=lambda rate: (rate < BUSY, rate)):
        for plan in sorted(PLANS, key=lambda plan: not plan.adaptive):
            twice = (2 * part, 2 * part + 1) if plan.adaptive and rate >= BUSY else (part,)
            found += [_ours(named(name), plan, rate, part=number) for name in STRICT for number in twice]
    return found


def _from_start() -> list[Scenario]:
    """Large faults that are there from the first request."""
    return [s for s in SCENARIOS if not s.harmless and (s.fault >= 0.05 or s.hangs) and s.onset == "start" and not s.outage]


def _beside(scenario: Scenario, rate: float) -> list[Task]:
    return [_ours(scenario, LINEAR, rate, rollouts=MANY), _theirs("Flagger 1m x 5", scenario, rate, MANY // 2)]


def _field() -> list[Task]:
    faults = [named(name) for name in ("fault 5%", "fault 20%", "fault 100%", "fault 5% on 1%", "latency +100%")]
    healthy = [named(name) for name in ("healthy 0.1%", "noisy", "bursts of 3")]
    found = [
        _theirs(rule.name, s, rate)
        for rate in (10.0, 1000.0, 100.0, 1.0, 10_000.0)
        for s in (*faults, *healthy)
        for rule in rules()
    ]
    compared = (*faults[:3], *healthy)
    return found + [
        Task(Kayenta.name, s.name, KAYENTA_PLAN.name, rate, MANY // 20, 0, Use.JUDGE)
        for s in compared
        for rate in (10.0, 1000.0)
    ]


def _rest() -> list[Task]:
    """Faults that come later, latency, small faults, outages, heavy users: often enough for a mean."""
    rates = (10.0, 1000.0, 100.0, 1.0, 10_000.0)
    return [
        _ours(s, plan, rate, rollouts=MANY // 4) for rate in rates for plan in PLANS for s in SCENARIOS if s.name not in STRICT
    ]


def _ours(scenario: Scenario, plan: SimPlan, rate: float, *, rollouts: int = 0, part: int = 0, use: Use = Use.JUDGE) -> Task:
    return Task(OURS, scenario.name, plan.name, rate, rollouts or (MANY if rate >= BUSY else MANY // 2), part, use)


def _theirs(method: str, scenario: Scenario, rate: float, rollouts: int = MANY // 4) -> Task:
    return Task(method, scenario.name, LINEAR.name, rate, rollouts, 0, Use.JUDGE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--full", action="store_true", help="every family, rate and plan")
    parser.add_argument("--tune", action="store_true", help="the families and seeds on which the parameters were frozen")
    parser.add_argument("--sections", nargs="*", default=SECTIONS, choices=SECTIONS, help="of the full form, in this order")
    parser.add_argument("--only", nargs="*", default=[], help="only tasks whose method, scenario and plan hold all these texts")
    parser.add_argument("--but", nargs="*", default=[], help="without tasks that hold one of these texts")
    parser.add_argument("--rates", default="", help="only these rates, as 10,100")
    parser.add_argument("--more", type=int, default=4, help="how often the harmless families are run again")
    parser.add_argument("--rollouts", type=int, default=50, help="rollouts a task of the tuning form")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=1e6, help="begin nothing after so many minutes")
    parser.add_argument("--cache", type=Path, help="a directory for what was found; what it holds is not run again")
    parser.add_argument("--tables", action="store_true", help="print the tables of what the cache holds, and run nothing")
    given = parser.parse_args()
    console = Console()
    tasks = tune(given.rollouts) if given.tune else full(given.sections, given.more) if given.full else quick()
    tasks = [task for task in tasks if all(text in _said(task) for text in given.only)]
    tasks = [task for task in tasks if not any(text in _said(task) for text in given.but)]
    if given.rates:
        tasks = [task for task in tasks if task.rate in {float(rate) for rate in given.rates.split(",")}]
    known = _read(given.cache) if given.cache else {}
    if not given.tables:
        missing = [task for task in tasks if _kind(task) not in known or known[_kind(task)].rollouts < task.rollouts]
        known |= run(missing, given.workers, console, given.cache, given.minutes)
    print_tables(console, [known[kind] for kind in dict.fromkeys(map(_kind, tasks)) if kind in known])


def _said(task: Task) -> str:
    return f"{task.method} {task.scenario} {task.plan}"


def _read(cache: Path) -> dict[Task, Outcome]:
    file = cache / "outcomes.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    found: dict[Task, Outcome] = {}
    for line in lines:
        task, outcome = _kind(Task(**{**line["task"], "use": Use(line["task"]["use"])})), Outcome(**line["outcome"])
        if task not in found or found[task].rollouts <= outcome.rollouts:
            found[task] = outcome
    return found


def _kind(task: Task) -> Task:
    """The same, however many rollouts."""
    return replace(task, rollouts=0)


def run(tasks: list[Task], workers: int, console: Console, cache: Path | None, minutes: float) -> dict[Task, Outcome]:
    """What was found, each written to the cache as soon as it is."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    began, found, waiting = time.monotonic(), {}, list(reversed(tasks))
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=console,
    )  # fmt: skip
    with bar, ProcessPoolExecutor(workers) as pool:
        shown = bar.add_task("simulating", total=len(tasks))
        going: dict[Future[Outcome], Task] = {}
        while waiting or going:
            if time.monotonic() - began > minutes * 60:
                waiting.clear()
            while waiting and len(going) < workers:
                task = waiting.pop()
                going[pool.submit(perform, task)] = task
            for done in wait(going, return_when=FIRST_COMPLETED).done if going else ():
                task = going.pop(done)
                outcome = found[_kind(task)] = done.result()
                bar.update(shown, advance=1, description=f"{task.scenario}, {task.rate:g} rps")
                if cache:
                    _write(cache, task, outcome)
    console.print(f"{len(found)} of {len(tasks)} tasks in {time.monotonic() - began:.0f} s")
    return found


def _write(cache: Path, task: Task, outcome: Outcome) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "outcomes.jsonl").open("a") as file:
        file.write(json.dumps({"task": asdict(task), "outcome": asdict(outcome)}) + "\n")


if __name__ == "__main__":
    main()
