"""A thousand agents at one controller: how long a change takes until it is visible in all of them, and what their reports cost.

    python -m benchmarks.flags_fleet [--agents 1000]

The controller is a real one (`tidegate up`). Each agent of the fleet holds a stream open and reports as often as it is asked
to, as an agent does, in one other process; it only notes when the change has arrived, for a thousand agents on one machine
would measure their own decoding. A few of them are real agents, which decode, check and compile: they say what that adds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import resource
import statistics
import subprocess
import sys
import time
from collections import deque
from typing import Any

import psutil

from tests.support.walk import Tidegate
from tidegate.agent import Agent
from tidegate.agent.pace import Pace

GOAL_SECONDS = 1.0
GOAL_MS = 0.5
REAL = 20
FLAGS = 100
WARM_UP, COUNTED = 8.0, 10.0
"""Seconds."""
ENVIRONMENT = "/applications/shop/environments/prod"
WANTED = re.compile(rb"tidegate-report-every: ([0-9.]+)")
BINS = {str(number): 7 for number in range(20, 60)}


def document(on: bool) -> dict[str, Any]:
    """A hundred flags, some with rules."""
    flags: dict[str, Any] = {f"flag-{number}": {"when": f'plan == "p{number}"'} for number in range(FLAGS)}
    return {"application": "shop", "flags": {**flags, "checkout": "on" if on else "off"}}


# --- The fleet, in a process of its own ---------------------------------------------------------------------------------------


class Fleet:
    """`arrived` says of each change, by its serial, when it was there."""

    def __init__(self, socket: str, agents: int) -> None:
        self._socket = socket
        self._agents = agents
        self._applied: dict[str, Any] = {"serial": 0, "origin": ""}
        self.arrived: dict[int, list[float]] = {}
        self.visible: dict[int, list[float]] = {}
        self.reported = 0
        self.waited: deque[float] = deque(maxlen=5000)

    async def run(self) -> None:
        real = [Agent("shop", "prod", control=self._socket, poll=3600) for _ in range(REAL)]
        for agent in real:
            agent.listen(lambda *_, agent=agent: self._see(agent))  # type: ignore[misc]
        tasks = [asyncio.create_task(agent.run()) for agent in real]
        for number in range(self._agents - REAL):
            news = asyncio.Event()
            tasks += [asyncio.create_task(self._stream(news)), asyncio.create_task(self._report(number, news))]
            if number % 20 == 0:
                await asyncio.sleep(0.05)  # they do not all come at the same moment
        await self._obey()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _obey(self) -> None:
        """One line for each question from the one who measures: everything that has been noted."""
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps([self.arrived, self.visible, self.reported, list(self.waited)]), flush=True)

    def _see(self, agent: Agent) -> None:
        if agent.view is not None:
            self.visible.setdefault(agent.view.snapshot.serial, []).append(time.monotonic())

    async def _stream(self, news: asyncio.Event) -> None:
        reader, writer = await asyncio.open_unix_connection(self._socket, limit=2**24)
        writer.write(f"GET /v1{ENVIRONMENT}/stream HTTP/1.1\r\nHost: tidegate\r\n\r\n".encode())
        serial = 0
        while line := await reader.readline():
            if line.startswith(b"id: "):
                serial = int(line[4:])
            elif line.startswith(b"data: "):
                self.arrived.setdefault(serial, []).append(time.monotonic())
                news.set()
                if serial > self._applied["serial"]:
                    said = {key: value for key in ("origin", "exposure", "rollout") if (value := _text(line, key)) is not None}
                    self._applied = {**self._applied, **said, "serial": serial}

    async def _report(self, number: int, news: asyncio.Event) -> None:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        pace = Pace()
        await asyncio.sleep(random.random())
        for second in range(10**6):
            began = time.monotonic()
            body = json.dumps(self._content(number, second)).encode()
            head = f"POST /v1{ENVIRONMENT}/reports HTTP/1.1\r\nHost: tidegate\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            wanted = WANTED.search(await reader.readuntil(b"\r\n\r\n"))
            pace.obey(float(wanted[1]) if wanted else None)
            self.reported += 1
            self.waited.append(time.monotonic() - began)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pace.until_next()):
                    await news.wait()
                    await asyncio.sleep(pace.after_news())
            news.clear()

    def _content(self, number: int, second: int) -> dict[str, Any]:
        count = {"document": 1, "begun": 280 + second, "finished": 280 + second, "failed": 1, "latency": BINS}
        return {
            "agent": f"agent-{number}",
            "version": "0.1.0",
            "epoch": f"life-{number}",
            **self._applied,
            "sides": {"other": count},
            "flags": {f"flag-{place}": {"on": second, "off": 4} for place in range(10)},
            "asked": {f"flag-{place}": second for place in range(10)},
        }


def _text(line: bytes, key: str) -> str | None:
    """A text of a snapshot or of a move, without reading all of it."""
    found = re.search(rf'"{key}":"([^"\\]*)"'.encode(), line)
    return found[1].decode() if found else None


# --- Who measures -----------------------------------------------------------------------------------------------------------


class Run:
    def __init__(self, tidegate: Tidegate, agents: int) -> None:
        self._tidegate = tidegate
        self._agents = agents
        command = [sys.executable, "-m", "benchmarks.flags_fleet", "--fleet", str(tidegate.home / "api.sock")]
        self._fleet = subprocess.Popen(
            [*command, "--agents", str(agents)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def noted(self) -> tuple[dict[str, list[float]], dict[str, list[float]], int, list[float]]:
        assert self._fleet.stdin is not None
        assert self._fleet.stdout is not None
        self._fleet.stdin.write("\n")
        self._fleet.stdin.flush()
        arrived, visible, reported, waited = json.loads(self._fleet.stdout.readline())
        return arrived, visible, reported, waited

    def connected(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            arrived, visible, _, _ = self.noted()
            if sum(map(len, (*arrived.values(), *visible.values()))) >= self._agents:
                return
            time.sleep(0.5)
        sys.exit(f"the fleet did not connect: { ({at: len(found) for at, found in arrived.items()}) }")

    def change(self, on: bool) -> tuple[list[float], list[float]]:
        """Seconds from the order to each arrival, and to each real agent's answers."""
        before = set(self.noted()[0])
        began = time.monotonic()
        self._tidegate.ask("POST", f"{ENVIRONMENT}/deploy", content=document(on), now=True)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            time.sleep(1.0)
            arrived, visible, _, _ = self.noted()
            new = sorted(set(arrived) - before, key=int)
            # The first snapshot has the new document; later ones say only that the change is over.
            if new and len(arrived[new[0]]) == self._agents - REAL and len(visible.get(new[0], [])) == REAL:
                return tuple(sorted(at - began for at in found[new[0]]) for found in (arrived, visible))  # type: ignore[return-value]
        sys.exit("the change did not arrive everywhere")

    def reports(self) -> tuple[float, float, float]:
        """Reports a second, CPU milliseconds of the controller for each with all that it does, and how long answers took."""
        controller = psutil.Process(self._tidegate.pid("controller"))
        before, began, cpu = self.noted()[2], time.monotonic(), sum(controller.cpu_times()[:2])
        time.sleep(COUNTED)
        _, _, after, waited = self.noted()
        spent, count = sum(controller.cpu_times()[:2]) - cpu, after - before
        return count / (time.monotonic() - began), spent / count * 1000, statistics.quantiles(waited, n=100)[98]

    def close(self) -> None:
        assert self._fleet.stdin is not None
        self._fleet.stdin.close()
        self._fleet.wait(30)


def measure(agents: int) -> int:
    with Tidegate(tick="1s") as tidegate:
        tidegate.ask("POST", f"{ENVIRONMENT}/deploy", content=document(False))
        time.sleep(3)
        run = Run(tidegate, agents)
        try:
            run.connected()
            time.sleep(WARM_UP)
            rate, cost, waited = run.reports()
            changes = []
            for number in range(5):
                changes.append(run.change(on=number % 2 == 0))
                time.sleep(3)
        finally:
            run.close()
    arrived = [one for change, _ in changes for one in change]
    visible = [one for _, change in changes for one in change]
    p99 = statistics.quantiles(arrived, n=100)[98]
    print(f"{agents:,} agents that stream and report, {FLAGS} flags, 5 changes at once")
    print(f"  arrived        p50 {statistics.median(arrived):.2f} s   p99 {p99:.2f} s (goal {GOAL_SECONDS:.0f})")
    real = statistics.quantiles(visible, n=100)[98]
    print(f"  in {REAL} real ones  p50 {statistics.median(visible):.2f} s   p99 {real:.2f} s: decoded, checked, compiled")
    print(f"  {rate:.0f} reports a second, {cost:.2f} ms of the controller's CPU each, with all that it does (goal {GOAL_MS})")
    print(f"  a report is answered within {waited:.2f} s (p99)")
    return int(p99 > GOAL_SECONDS or cost > GOAL_MS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--fleet", help=argparse.SUPPRESS)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if given.fleet:
        asyncio.run(Fleet(given.fleet, given.agents).run())
        return 0
    return measure(given.agents)


if __name__ == "__main__":
    sys.exit(main())
