"""Handing over in the router: between any two of its writes the controller may die, and Envoy may be restarted on a weights
file that is broken. Everybody is served all the same."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.walk import TILL, free_port, until
from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.service import Service
from tidegate.drivers.envoy.process import EnvoyProcess
from tidegate.drivers.envoy.router import EnvoyRouter
from tidegate.ports import Endpoint, Routing, Side

pytestmark = pytest.mark.real

USERS = [f"user-{number}" for number in range(12)]
WEIGHTS = "rtds/weights.json"


class Gate:
    """An Envoy with two tills behind it, and the files of each stage of a hand-over from v1 to v2."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.port = free_port()
        self.envoy = EnvoyProcess(run_dir, concurrency=1)
        self.tills: dict[str, subprocess.Popen[bytes]] = {}
        self.sides = {version: self._side(version) for version in ("v1", "v2")}
        self.envoy.start()
        self.router = EnvoyRouter(run_dir)
        v1, v2 = self.sides["v1"], self.sides["v2"]
        self.stages = {
            "last step": self._files(v1, v2, FULL),
            "hand over": self._files(v2, v2, FULL),
            "unweigh": self._files(v2, v2, NONE),
            "empty": self._files(v2, None, NONE),
        }

    def _side(self, version: str) -> Side:
        port = free_port()
        words = [sys.executable, "-I", "-S", str(TILL), "--port", str(port), "--version", version]
        self.tills[version] = subprocess.Popen([*words, "--ledger", str(self.run_dir / "ledger")])
        return Side(version, (Endpoint("127.0.0.1", port, f"web-{version}-1"),))

    def _files(self, stable: Side, slot: Side | None, exposure: Exposure) -> dict[str, str]:
        health = {"path": "/healthz", "interval": "100ms", "healthy_after": 1}
        tasks = {"command": ["web"], "health": health}
        service = Service.model_validate({"service": "web", "listener": {"port": self.port}, "tasks": tasks})
        self.router.route([Routing(service, "salt", stable, slot, exposure)])
        folders = ("rds", "eds", "cds", "lds", "rtds")
        return {
            f"{folder}/{path.name}": path.read_text() for folder in folders for path in (self.run_dir / folder).glob("*.json")
        }

    def put(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            aside = self.run_dir / ".test"
            aside.write_text(text)
            aside.replace(self.run_dir / path)

    def restart(self) -> None:
        """As the supervisor does when somebody killed it."""
        found = self.envoy.epoch
        assert found is not None
        pid = int(found.partition("-")[0])
        os.kill(pid, signal.SIGKILL)
        until(lambda: not self.envoy.alive() and not Path(f"/proc/{pid}").exists(), 5, "Envoy has ended with all its threads")
        self.envoy.start()
        with httpx2.Client(timeout=1) as client:

            def serves() -> bool:
                try:
                    # Envoy answers as soon as it has its configuration: what it says then, it says to users as well.
                    return client.get(f"http://127.0.0.1:{self.port}/").status_code > 0
                except httpx2.HTTPError:
                    return False

            until(serves, 10, "Envoy listens")

    def answers(self) -> list[tuple[int, str]]:
        """What users get, by either kind of request."""
        found = []
        with httpx2.Client(timeout=5) as client:
            for user, method in itertools.product(USERS, ("GET", "POST")):
                answer = client.request(method, f"http://127.0.0.1:{self.port}/", headers={"x-user-id": user})
                found.append((answer.status_code, answer.headers.get("x-version", "")))
        return found

    def close(self) -> None:
        self.router.close()
        self.envoy.stop()
        for till in self.tills.values():
            till.kill()
            till.wait()


@pytest.fixture
def gate() -> Iterator[Gate]:
    with tempfile.TemporaryDirectory(prefix="tg-", dir="/tmp") as home:
        gate = Gate(Path(home))
        try:
            yield gate
        finally:
            gate.close()


def _between(before: dict[str, str], after: dict[str, str]) -> Iterator[dict[str, str]]:
    """Every mixture of the files of two stages: whatever the order of the writes, a death between any two is among them."""
    changed = sorted(path for path in after if before.get(path) != after[path])
    for count in range(len(changed) + 1):
        for written in itertools.combinations(changed, count):
            yield {**before, **{path: after[path] for path in written}}


def test_a_death_between_any_two_writes_of_the_hand_over_and_a_broken_weights_file_harm_nobody(gate: Gate) -> None:
    gate.put(gate.stages["last step"])
    gate.restart()
    until(lambda: set(gate.answers()) == {(200, "v2")}, 40, "v2 has everybody")
    tried = 0
    for before, after in itertools.pairwise(gate.stages.values()):
        for mixture in _between(before, after):
            gate.put({**mixture, WEIGHTS: "{ broken"})
            gate.restart()
            assert {status for status, _ in gate.answers()} == {200}
            gate.put(mixture)  # the next controller writes what was meant
            tried += 1
    assert tried >= 8


def test_once_the_slot_is_empty_the_loser_may_go_and_nothing_depends_on_the_weights(gate: Gate) -> None:
    gate.put(gate.stages["empty"])
    gate.restart()
    until(lambda: set(gate.answers()) == {(200, "v2")}, 40, "v2 has everybody")
    gate.tills["v1"].kill()
    gate.put({WEIGHTS: "{ broken"})
    gate.restart()
    assert set(gate.answers()) == {(200, "v2")}


def test_this_walk_sees_a_hole_where_there_is_one(gate: Gate) -> None:
    """The loser stopped before the winner was the stable side: a broken weights file sends everybody to nobody."""
    gate.put(gate.stages["last step"])
    gate.tills["v1"].kill()
    gate.put({WEIGHTS: "{ broken"})
    gate.restart()
    assert {status for status, _ in gate.answers()} == {503}
