"""What an answer of the agent costs, beside the same server returning a constant.

    python -m benchmarks.flags_agent [--rounds 5] [--seconds 2]

The agent is `tidegate agent` as users start it, in the middle of a rollout, with its control plane in another process. The
constant comes from the same HTTP server (uvicorn, with the agent's settings), which reads what was sent and evaluates nothing.
Requests a second depend on what else the machine does, and on who gets a core; CPU time for each request hardly does. Load
comes from wrk where it is installed, else from a small generator of our own, whose own cost makes everything look alike.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.small_load import ask_again
from tests.support.control_plane import ControlPlane, free_port, moving

GOAL = 0.7
CONNECTIONS = 16
PATH = "/applications/shop/environments/prod/configurations/flags?flag=checkout"
OFREP = "/ofrep/v1/evaluate/flags"
BODY = '{"context":{"targetingKey":"user-7","country":"DE","plan":"pro"}}'
JSON = {"Content-Type": "application/json"}
CONSTANT = b'{"enabled":true}'


@dataclass(frozen=True)
class Case:
    """What is asked."""

    path: str
    headers: dict[str, str]
    body: str = ""


CASES = {
    "AppConfig, nobody": Case(PATH, {}),
    "AppConfig, an entity": Case(PATH, {"Entity-Id": "user-7", "Context": "country=DE, plan=pro"}),
    "OFREP, one flag": Case(f"{OFREP}/checkout", JSON, BODY),
    "OFREP, all six flags": Case(OFREP, JSON, BODY),
}


@dataclass(frozen=True)
class Round:
    """`cpu` in microseconds a request, `p99` in milliseconds."""

    rps: float
    cpu: float
    p99: float


# --- Who is asked -----------------------------------------------------------------------------------------------------------


async def constant(_scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app that does nothing but answer."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(CONSTANT)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": CONSTANT})


def serve_constant(port: int) -> None:
    import uvicorn  # noqa: PLC0415 - only in that process

    from tidegate.agent.serve import open_door  # noqa: PLC0415
    from tidegate.connection import Connection  # noqa: PLC0415

    config = uvicorn.Config(
        constant,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=[open_door("127.0.0.1", port)]))


@contextmanager
def running(*command: str, port: int) -> Iterator[int]:
    """Its process id, once it answers."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"Nothing answers on port {port}.")


# --- Load -------------------------------------------------------------------------------------------------------------------


def load(port: int, pid: int, case: Case, seconds: int, folder: Path) -> Round:
    before = cpu(pid)
    count, rps, p99 = (_wrk if shutil.which("wrk") else _own)(port, case, seconds, folder)
    return Round(rps, (cpu(pid) - before) / count * 1e6, p99)


def cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _wrk(port: int, case: Case, seconds: int, folder: Path) -> tuple[int, float, float]:
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in case.headers.items()]
    lines += ['wrk.method = "POST"', f"wrk.body = '{case.body}'"] if case.body else []
    script = folder / "case.lua"
    script.write_text("\n".join(lines))
    url = f"http://127.0.0.1:{port}{case.path}"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        sys.exit(f"{case}: not every answer was good.")
    number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", said)[0]
    p99 = float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
    return int(re.findall(r"(\d+) requests in", said)[0]), float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]), p99


def _own(port: int, case: Case, seconds: int, _folder: Path) -> tuple[int, float, float]:
    headers = {"Host": "127.0.0.1", **case.headers, **({"Content-Length": str(len(case.body))} if case.body else {})}
    head = f"{'POST' if case.body else 'GET'} {case.path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items())
    took, errors, spent = ask_again(port, f"{head}\r\n{case.body}".encode(), seconds, CONNECTIONS)
    if errors:
        sys.exit(f"{case}: not every answer was good.")
    return len(took), len(took) / spent, statistics.quantiles(took, n=100)[98] * 1000


# --- The run ----------------------------------------------------------------------------------------------------------------


def measure(rounds: int, seconds: int) -> dict[str, list[tuple[Round, Round]]]:
    """By case, rounds of the agent and of the constant, one beside the other."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tg-bench-")))
        plane = stack.enter_context(ControlPlane(heartbeat=5))
        plane.look_every = 1.0
        plane.show(moving(2, 5000))
        ports = free_port(), free_port()
        agent = ("-m", "tidegate", "agent", "-a", "shop", "-e", "prod", "--control", plane.address, "--cache", str(folder))
        ours = stack.enter_context(running(*agent, "--port", str(ports[0]), port=ports[0]))
        other = stack.enter_context(running("-m", "benchmarks.flags_agent", "--constant", str(ports[1]), port=ports[1]))
        found: dict[str, list[tuple[Round, Round]]] = {}
        for name, case in CASES.items():
            for number in range(rounds + 1):
                sides = [(ports[0], ours), (ports[1], other)]
                ordered = sides if number % 2 else sides[::-1]
                pair = [load(port, pid, case, seconds, folder) for port, pid in ordered]
                if number:  # the first one warms up
                    found.setdefault(name, []).append((pair[0], pair[1]) if number % 2 else (pair[1], pair[0]))
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--constant", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.constant:
        serve_constant(given.constant)
        return 0
    found = measure(given.rounds, given.seconds)
    print("the agent, to the same server returning a constant (requests a second, goal at least 0.7; 1/CPU for each; p99)")
    worst = 1.0
    for name, rounds in found.items():
        rps = statistics.median(ours.rps / other.rps for ours, other in rounds)
        cost = statistics.median(other.cpu / ours.cpu for ours, other in rounds)
        worst = min(worst, max(rps, cost))
        ours, other = (_medians([pair[side] for pair in rounds]) for side in (0, 1))
        print(
            f"  {name:22} req/s {rps:5.2f} ({ours.rps:5.0f} to {other.rps:5.0f})   CPU {cost:5.2f} "
            f"({ours.cpu:3.0f} to {other.cpu:3.0f} us)   p99 {ours.p99:5.1f} to {other.p99:5.1f} ms"
        )
    return int(worst < GOAL)


def _medians(rounds: list[Round]) -> Round:
    return Round(*(statistics.median(getattr(one, key) for one in rounds) for key in ("rps", "cpu", "p99")))


if __name__ == "__main__":
    sys.exit(main())
