"""What a tick of the controller costs, with 1, 100 and 500 rollouts in flight, and whether its memory grows.

    python -m benchmarks.controller

The real loop, store (SQLite on disk), watcher and alarms, over the memory twins of tasks and router: what is left out is what
Envoy and the kernel do. CPU time of the process, not wall time.
"""

from __future__ import annotations

import gc
import logging
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import psutil
import structlog

from tests.support.house import World, service_file

GOAL_MS = 1.0
SECOND = timedelta(seconds=1)
LONG_PLAN = {"linear": {"step": "50%", "every": "10h"}, "deadline": "30d"}


def world_with(rollouts: int, home: Path) -> World:
    """So many services, each with a rollout that is watched at its first step."""
    world = World(home)
    for number in range(rollouts):
        name, port = f"web{number}", 10_000 + number
        file = service_file(service=name, listener={"port": port}, plan=LONG_PLAN)
        world.orders.deploy(file, "v1", "bench")
    settle(world)
    for number in range(rollouts):
        file = service_file(service=f"web{number}", listener={"port": 10_000 + number}, plan=LONG_PLAN)
        world.orders.deploy(file, "v2", "bench")
    settle(world)
    return world


def settle(world: World) -> None:
    for _ in range(12):
        world.now += SECOND
        world.loop.tick(world.now)


def ticks(world: World, count: int, rollouts: int) -> float:
    """CPU milliseconds a tick and rollout, with some requests on each side between any two."""
    users = ["ann", "bob", "cleo", "dan"]
    spent = 0.0
    for _ in range(count):
        for number in range(rollouts):
            world.router.serve(f"web{number}", users)
        world.now += SECOND
        begun = time.process_time()
        world.loop.tick(world.now)
        spent += time.process_time() - begun
    return spent * 1000 / count / rollouts


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print("controller: CPU milliseconds a tick and rollout (goal: below 1)")
    process = psutil.Process()
    for rollouts, count in ((1, 200), (100, 30), (500, 10)):
        with tempfile.TemporaryDirectory() as home:
            world = world_with(rollouts, Path(home))
            cost = ticks(world, count, rollouts)
            gc.collect()
            memory = process.memory_info().rss / 1e6
            print(f"  {rollouts:>4} rollouts  {cost:6.3f} ms  ratio to the goal {cost / GOAL_MS:5.2f}  memory {memory:6.1f} MB")
            world.store.close()
    memory_over_ticks(process)


def memory_over_ticks(process: psutil.Process, count: int = 10_000) -> None:
    with tempfile.TemporaryDirectory() as home:
        world = world_with(5, Path(home))
        ticks(world, 500, 5)
        gc.collect()
        before = process.memory_info().rss
        for _ in range(4):
            ticks(world, count // 4, 5)
        gc.collect()
        after = process.memory_info().rss
        grown = f"{after / before:.3f} ({(after - before) / 1e6:+.1f} MB)"
        print(f"  memory after {count:,} ticks of 5 rollouts, to before: ratio {grown}")
        world.store.close()


if __name__ == "__main__":
    main()
