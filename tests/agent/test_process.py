"""`tidegate agent` as a process: started, killed, on a full disk, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.control_plane import NEW, ControlPlane, moving, plain, until
from tests.support.full_disk import fill
from tidegate.agent import Agent
from tidegate.core.exposure import bucket

pytestmark = pytest.mark.real
PATH = "/applications/shop/environments/prod/configurations/flags"


class Process:
    def __init__(self, home: Path, control: str, *options: str, **env: str) -> None:
        self.errors = home / "errors"
        clean = {key: value for key, value in os.environ.items() if key not in ("HTTP_PORT", "PREFETCH_LIST")}
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tidegate", "agent", "--control", control, "--port", "0", "--json", *options],
                stdout=subprocess.PIPE,
                stderr=errors,
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

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.errors.read_text().splitlines() if line.startswith("{")]


@contextmanager
def process(home: Path, control: str, *options: str, **env: str) -> Iterator[Process]:
    running = Process(home, control, *options, **env)
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


def test_kills_at_any_moment_leave_a_whole_snapshot_or_none(plane: ControlPlane, tmp_path: Path) -> None:
    seen = 0
    for number in range(4):
        with process(tmp_path, plane.address, *SHOP) as agent:
            until(agent.ready)
            for _ in range(number * 5):
                plane.show(plain(plane.serial + 1, plane.serial + 3, NEW))
            serial = agent.client.get("/health/ready").json()["serial"]
            assert serial >= seen
            seen = serial
            agent.end(signal.SIGKILL)
        assert "agent_cache_ignored" not in [line["event"] for line in agent.log()]


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


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A filesystem of 1 MB; only root can have one."""
    place = Path(tempfile.mkdtemp(prefix="tg-disk-"))
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False)
    if not mounted or mounted.returncode:
        place.rmdir()
        pytest.skip("no small filesystem can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True, capture_output=True)
    place.rmdir()


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
