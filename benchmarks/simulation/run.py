"""The simulation that judges the comparison: families of worlds, three plans, five rates of traffic, and the field beside it.

    python -m benchmarks.simulation.run            quick: less than a minute, a glance
    python -m benchmarks.simulation.run --full     every family, rate and plan, for the night
    python -m benchmarks.simulation.run --tune     only the families and seeds on which the parameters were frozen

Parameters were frozen on the families marked `tune` with seeds from 1,000,000; what is printed by default is judged with seeds
from 2,000,000, on all families. Seeds depend on nothing but the task, so every number can be had again.
"""

from __future__ import annotations

import argparse
import json
import os
import zlib
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.simulation import ours
from benchmarks.simulation.floor import floor
from benchmarks.simulation.opponents import KAYENTA_PLAN, Kayenta, rules
from benchmarks.simulation.opponents import simulate as simulate_opponent
from benchmarks.simulation.plan import ADAPTIVE, LINEAR, PLANS, SimPlan
from benchmarks.simulation.scenario import SCENARIOS, Scenario, Use, named
from benchmarks.simulation.tables import print_tables

OURS = "Tidegate"
SEEDS = {Use.TUNE: 1_000_000, Use.JUDGE: 2_000_000}


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
    """`found`: rollouts that were rolled back. `harmed`: of each rollout. `floor`: what the best rule would have harmed."""

    method: str
    scenario: str
    plan: str
    rate: float
    rollouts: int
    found: int
    harmed: list[float]
    when: list[float]
    seconds: float
    floor: float | None
    harmless: bool
    fault: float


def perform(task: Task) -> Outcome:
    scenario = named(task.scenario)
    plan = next(plan for plan in (*PLANS, KAYENTA_PLAN) if plan.name == task.plan)
    seed = SEEDS[task.use] + zlib.crc32(f"{task.scenario}{task.plan}{task.rate}{task.part}".encode()) % 900_000
    if task.method == OURS:
        result = ours.simulate(scenario, plan, task.rate, rollouts=task.rollouts, seed=seed)
    else:
        rule = next(rule for rule in (*rules(), Kayenta()) if rule.name == task.method)
        result = simulate_opponent(rule, scenario, plan, task.rate, rollouts=task.rollouts, seed=seed)
    found = result.found[~np.isnan(result.found)]
    return Outcome(
        task.method,
        task.scenario,
        task.plan,
        task.rate,
        task.rollouts,
        len(found),
        [float(x) for x in result.harmed],
        [float(x) for x in found],
        float(result.seconds.mean()),
        floor(scenario, plan, task.rate) if scenario.fault and not scenario.harmless and plan is not KAYENTA_PLAN else None,
        scenario.harmless,
        scenario.fault,
    )


# --- What is asked ------------------------------------------------------------------------------------------------


def quick() -> list[Task]:
    names = ("healthy 0.1%", "bursts of 5 over 3 s", "shared outage 10%", "fault 5%", "fault 20%", "fault 100%", "hangs 20%")
    found = [_ours(named(name), plan, rate, 20) for name in names for plan in (LINEAR, ADAPTIVE) for rate in (10.0, 1000.0)]
    found += [
        Task(rule.name, name, LINEAR.name, rate, 20, 0, Use.JUDGE)
        for rule in rules()
        for name in ("healthy 0.1%", "fault 20%")
        for rate in (10.0, 1000.0)
    ]
    return found


def full(use: Use, parts: int, rollouts: int) -> list[Task]:
    """Harmless families many times over; faults often enough for a mean."""
    found = []
    for scenario in SCENARIOS:
        if use is Use.TUNE and scenario.use is not Use.TUNE:
            continue
        for plan in PLANS:
            for rate in (1.0, 10.0, 100.0, 1000.0, 10_000.0):
                repeats = parts if scenario.harmless else 1
                found += [_ours(scenario, plan, rate, rollouts, part=part, use=use) for part in range(repeats)]
                if use is Use.JUDGE and plan is LINEAR:
                    found += [
                        Task(rule.name, scenario.name, plan.name, rate, max(rollouts // 2, 1), 0, use) for rule in rules()
                    ]
        if use is Use.JUDGE and not scenario.outage and not scenario.hangs:
            found += [
                Task(Kayenta.name, scenario.name, KAYENTA_PLAN.name, rate, max(rollouts // 10, 1), 0, use)
                for rate in (10.0, 1000.0)
            ]
    return found


def _ours(scenario: Scenario, plan: SimPlan, rate: float, rollouts: int, *, part: int = 0, use: Use = Use.JUDGE) -> Task:
    return Task(OURS, scenario.name, plan.name, rate, rollouts, part, use)


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """The same worlds follow each other, so that a day of history is made once; long tasks come first."""
    return sorted(tasks, key=lambda task: (task.rate, task.scenario, task.part))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--full", action="store_true", help="every family, rate and plan")
    parser.add_argument("--tune", action="store_true", help="the families and seeds on which the parameters were frozen")
    parser.add_argument("--only", nargs="*", default=[], help="only tasks whose method, scenario and plan hold all these texts")
    parser.add_argument("--parts", type=int, default=4, help="how often the harmless families are run")
    parser.add_argument("--rates", default="", help="only these rates, as 10,100")
    parser.add_argument("--rollouts", type=int, default=200, help="rollouts a task")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--save", type=Path, help="write all outcomes here as JSON lines")
    parser.add_argument("--load", type=Path, help="print the tables of outcomes that were saved")
    given = parser.parse_args()
    console = Console()
    if given.load:
        print_tables(console, [Outcome(**json.loads(line)) for line in given.load.read_text().splitlines()])
        return
    tasks = (
        full(Use.TUNE, given.parts, given.rollouts)
        if given.tune
        else full(Use.JUDGE, given.parts, given.rollouts)
        if given.full
        else quick()
    )
    tasks = [task for task in tasks if all(text in f"{task.method} {task.scenario} {task.plan}" for text in given.only)]
    if given.rates:
        tasks = [task for task in tasks if task.rate in {float(rate) for rate in given.rates.split(",")}]
    print_tables(console, run(in_order(tasks), given.workers, console, given.save))


def run(tasks: list[Task], workers: int, console: Console, save: Path | None) -> list[Outcome]:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    outcomes = []
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=console,
    )  # fmt: skip
    with bar, ProcessPoolExecutor(workers) as pool:
        shown = bar.add_task("simulating", total=len(tasks))
        for done in as_completed([pool.submit(perform, task) for task in tasks]):
            outcomes.append(done.result())
            bar.advance(shown)
            if save:
                with save.open("a") as file:
                    file.write(json.dumps(asdict(outcomes[-1])) + "\n")
    return outcomes


if __name__ == "__main__":
    main()
