"""`tidegate agent` as a process: started, killed, on a full disk, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.control_plane import NEW, ControlPlane, moving, plain, until
from tests.support.full_disk import fill
from tests.support.full_disk import small_disk as small_disk
from tidegate.agent import Agent
from tidegate.agent.disk import Disk
from tidegate.core.exposure import bucket

pytestmark = pytest.mark.real
PATH = "/applications/shop/environments/prod/configurations/flags"


class Process:
    """`errors` is where its log goes."""

    def __init__(self, home: Path, control: str, *options: str, errors: Path | None = None, **env: str) -> None:
        self.errors = errors or home / "errors"
        clean = {key: value for key, value in os.environ.items() if key not in ("HTTP_PORT", "PREFETCH_LIST")}
        with self.errors.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tidegate", "agent", "--control", control, "--port", "0", "--json", *options],
                stdout=subprocess.PIPE,
                stderr=log,
                env=clean | {"HOME": str(home), "TIDEGATE_HOME": str(home / "tg"), "XDG_CACHE_HOME": str(home)} | env,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.began: dict[str, Any] = json.loads(line) if line else {}
        self.client = httpx2.Client(base_url=self.began.get("address", "http://127.0.0.1:1"), trust_env=False)

    def end(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        code = self.process.wait(10)
        self.close()
        return code

    def close(self) -> None:
        self.client.close()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def ready(self) -> bool:
        return self.client.get("/health/ready").status_code == 200

    def checkout(self, user: str) -> bool:
        return bool(self.client.get(f"{PATH}?flag=checkout", headers={"Entity-Id": user}).json()["enabled"])

    def serial(self) -> int:
        return int(self.client.get("/health/ready").json()["serial"])

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.errors.read_text().splitlines() if line.startswith("{")]


@contextmanager
def process(home: Path, control: str, *options: str, errors: Path | None = None, **env: str) -> Iterator[Process]:
    running = Process(home, control, *options, errors=errors, **env)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end()
        running.close()


SHOP = ("-a", "shop", "-e", "prod")


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        plane.show(plain())
        yield plane


def test_it_serves_until_it_is_told_to_end_and_ends_well(plane: ControlPlane, tmp_path: Path) -> None:
    with process(tmp_path, plane.address, PREFETCH_LIST=PATH, TIDEGATE_TOKEN="secret") as agent:
        assert (agent.began["application"], agent.began["environment"]) == ("shop", "prod")
        until(agent.ready)
        assert agent.client.get(f"{PATH}?flag=banner").json()["value"] == "Summer sale"
        with agent.client.stream("GET", "/ofrep/v1/stream"):
            assert agent.end() == 0
    assert plane.tokens <= {"Bearer secret"}


def test_killed_and_started_again_without_a_control_plane_it_answers_what_it_knew(plane: ControlPlane, tmp_path: Path) -> None:
    with process(tmp_path, plane.address, *SHOP) as agent:
        until(agent.ready)
        until(lambda: list((tmp_path / "tidegate" / "agent").glob("*.snapshot")))
        agent.end(signal.SIGKILL)
    plane.stop()
    with process(tmp_path, plane.address, *SHOP) as agent:
        assert agent.ready()
        assert agent.client.get(f"{PATH}?flag=banner").json()["value"] == "Summer sale"
    (file,) = (tmp_path / "tidegate" / "agent").glob("*.snapshot")
    file.write_text(file.read_text().replace("Summer", "Winter"))
    with process(tmp_path, plane.address, *SHOP) as agent:
        assert not agent.ready()
        assert agent.client.get(f"{PATH}?flag=banner").status_code == 503
        assert "agent_cache_ignored" in [line["event"] for line in agent.log()]
        plane.start()
        until(agent.ready)
        assert agent.client.get(f"{PATH}?flag=banner").json()["value"] == "Summer sale"


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.nightly)])
def test_kills_at_any_moment_leave_a_whole_snapshot_and_no_wrong_answer(
    plane: ControlPlane, tmp_path: Path, kills: int
) -> None:
    """With the control plane gone every third time; a change is on its way at each kill. What had come to the disk before the
    kill is known after it; a change is shown at once, and a disk may be slow."""
    users = [f"user-{number}" for number in range(20)]
    disk = Disk(tmp_path / "kept", "shop", "prod")
    plane.show(moving(2, 100))
    kept = shown_last = 0
    for number in range(kills):
        away = number % 3 == 2
        if away:
            plane.stop()
        with process(tmp_path, plane.address, *SHOP, "--cache", str(tmp_path / "kept")) as agent:
            until(agent.ready)
            serial = agent.serial()
            assert serial >= kept
            shown = {user: agent.checkout(user) for user in users}
            if agent.serial() == serial:  # else it has changed in between
                points = 100 * (serial - 1)
                assert shown == {user: bucket(user, "salt") < points for user in users}
            shown_last = agent.serial()
            until(lambda: disk.read() is not None)
            found = disk.read()
            assert found is not None
            kept = found[0].serial
            if not away and number < 98:
                plane.move(100 * plane.serial)
            agent.end(signal.SIGKILL)
        if away:
            plane.start()
        assert "agent_cache_ignored" not in [line["event"] for line in agent.log()]
    assert shown_last > 2


def test_the_server_killed_while_a_change_is_on_its_way_changes_no_answer(plane: ControlPlane, tmp_path: Path) -> None:
    users = [f"user-{number}" for number in range(30)]
    plane.show(moving(2, 3000))
    with process(tmp_path, plane.address, *SHOP) as agent:
        until(lambda: agent.client.get("/health/ready").json()["connected"])
        plane.stop()
        until(lambda: not agent.client.get("/health/ready").json()["connected"])
        assert [agent.checkout(user) for user in users] == [bucket(user, "salt") < 3000 for user in users]
        standing = agent.client.get("/health/ready").json()
        assert (standing["ready"], standing["serial"]) == (True, 2)
        assert standing["problem"]
        plane.show(plain(9, 4, NEW))
        plane.start()
        until(lambda: agent.serial() == 9)
        assert all(agent.checkout(user) for user in users)
        assert agent.process.poll() is None


CLOCK = """\
import time
real = time.time
def pretended():
    with open({offset!r}) as file:
        return real() + float(file.read() or 0)
time.time = pretended
"""


def test_a_clock_that_jumps_by_years_changes_no_answer_and_no_age(plane: ControlPlane, tmp_path: Path) -> None:
    """The process' own wall clock is put: before its start, and while it follows."""
    offset = tmp_path / "offset"
    offset.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(CLOCK.format(offset=str(offset)))
    years = 10 * 365 * 86_400

    def standing(agent: Process) -> dict[str, Any]:
        return dict(agent.client.get("/health/ready").json())

    for begin in (0, years, -years):
        offset.write_text(str(begin))
        with process(tmp_path, plane.address, *SHOP, PYTHONPATH=str(tmp_path)) as agent:
            until(lambda agent=agent: standing(agent)["connected"])  # type: ignore[misc]
            for jump in (-years, years, 0, -years, begin):
                offset.write_text(str(jump))
                plane.show(plain(plane.serial + 1, plane.serial + 4, NEW))
                until(lambda agent=agent: agent.serial() == plane.serial)  # type: ignore[misc]
                assert agent.checkout("ann")
                assert 0 <= standing(agent)["age_seconds"] < 60
            assert agent.end() == 0
    plane.stop()
    for begin in (years, -years):  # from disk only: old, or as young as can be, and never wrong
        offset.write_text(str(begin))
        with process(tmp_path, plane.address, *SHOP, PYTHONPATH=str(tmp_path)) as agent:
            assert agent.checkout("ann")
            assert standing(agent)["age_seconds"] >= max(0, begin - 3600)


def test_a_document_that_is_damaged_on_disk_while_it_runs_changes_nothing(plane: ControlPlane, tmp_path: Path) -> None:
    with process(tmp_path, plane.address, *SHOP) as agent:
        until(lambda: list((tmp_path / "tidegate" / "agent").glob("*.snapshot")))
        (file,) = (tmp_path / "tidegate" / "agent").glob("*.snapshot")
        file.write_bytes(bytes(100))
        assert not agent.checkout("ann")
        plane.show(plain(2, 4, NEW))
        until(lambda: agent.checkout("ann"))
        until(lambda: b"checkout" in file.read_bytes())
        agent.end(signal.SIGKILL)
    plane.stop()
    with process(tmp_path, plane.address, *SHOP) as agent:
        assert agent.checkout("ann")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_a_place_for_files_that_cannot_be_written_is_told_and_flags_go_on(plane: ControlPlane, tmp_path: Path) -> None:
    with process(tmp_path, plane.address, *SHOP, "--cache", "/dev/full/cache") as agent:
        until(agent.ready)
        plane.show(plain(2, 4, NEW))
        until(lambda: agent.client.get(f"{PATH}?flag=checkout").json() == {"enabled": True})
        until(lambda: "agent_cache_not_written" in [line["event"] for line in agent.log()])
        assert agent.end() == 0


def test_several_agents_agree_about_every_entity_at_every_step(plane: ControlPlane, tmp_path: Path) -> None:
    users = [f"user-{number}" for number in range(30)]
    homes = [tmp_path / name for name in "abc"]
    for home in homes:
        home.mkdir()
    with (
        process(homes[0], plane.address, *SHOP) as one,
        process(homes[1], plane.address, *SHOP) as two,
        process(homes[2], plane.address, *SHOP) as three,
    ):
        plane.show(moving(2, 0))
        for points in (1000, 3000, 10_000, 0):
            plane.move(points)
            for agent in (one, two, three):
                until(lambda agent=agent: agent.client.get("/health/ready").json()["serial"] == plane.serial)  # type: ignore[misc]
                on = [
                    agent.client.get(f"{PATH}?flag=checkout", headers={"Entity-Id": user}).json()["enabled"] for user in users
                ]
                assert on == [bucket(user, "salt") < points for user in users]


def test_a_port_that_is_taken_and_a_missing_name_are_refused_with_the_mend(plane: ControlPlane, tmp_path: Path) -> None:
    with process(tmp_path, plane.address) as agent:
        assert agent.process.wait(10) == 2
    assert "PREFETCH_LIST" in str(agent.began)
    with process(tmp_path, plane.address, *SHOP, "--port", str(plane.port)) as agent:
        assert agent.process.wait(10) == 2
    assert f"Port {plane.port}" in str(agent.began)


def test_on_a_full_disk_the_old_snapshot_stays_and_flags_go_on(plane: ControlPlane, small_disk: Path) -> None:
    with Agent("shop", "prod", control=plane.address, cache=small_disk) as agent:
        until(lambda: list(small_disk.glob("*.snapshot")))
        until(lambda: agent.standing.connected)
        filler = fill(small_disk)
        plane.show(plain(2, 4, NEW))
        until(lambda: agent.evaluate("checkout").value is True)
        until(lambda: agent.standing.serial == 2)
    filled = Agent("shop", "prod", control="/nowhere", cache=small_disk)
    with filled:
        assert (filled.standing.serial, filled.evaluate("banner").value) == (1, "Summer sale")
    filler.unlink()
    with Agent("shop", "prod", control=plane.address, cache=small_disk) as agent:
        until(lambda: agent.standing.serial == 2)
        (file,) = small_disk.glob("*.snapshot")
        until(lambda: '"serial":2' in file.read_text())
    assert [one.name for one in small_disk.iterdir()] == [file.name]


def test_with_its_disk_and_its_log_full_the_process_goes_on_and_starts_again(
    plane: ControlPlane, small_disk: Path, tmp_path: Path
) -> None:
    options = (*SHOP, "--cache", str(small_disk))
    errors = small_disk / "log"
    with process(tmp_path, plane.address, *options, errors=errors) as agent:
        until(lambda: list(small_disk.glob("*.snapshot")))
        filler = fill(small_disk)
        for number in range(2, 6):
            plane.show(plain(number, number + 2, NEW))
            until(lambda number=number: agent.serial() == number)  # type: ignore[misc]
            plane.stop()  # there would be something to tell
            until(lambda: not agent.client.get("/health/ready").json()["connected"])
            plane.start()
            until(lambda: agent.client.get("/health/ready").json()["connected"])
        assert agent.checkout("ann")
        agent.end(signal.SIGKILL)
    with process(tmp_path, plane.address, *options, errors=errors) as agent:
        until(lambda: agent.serial() == 5)
        assert agent.checkout("ann")
        filler.unlink()
        plane.show(plain(6, 9, NEW))
        (file,) = small_disk.glob("*.snapshot")
        until(lambda: '"serial":6' in file.read_text())
        assert agent.end() == 0
