"""An application with the provider and the middleware goes on, whatever happens to the flags behind it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support.control_plane import NEW, ControlPlane, free_port, moving, plain, until
from tests.support.full_disk import fill
from tests.support.full_disk import small_disk as small_disk
from tidegate.core.exposure import bucket

pytestmark = pytest.mark.real
USERS = [f"user-{number}" for number in range(40)]


class Application:
    def __init__(self, control: str, cache: Path, log: Path) -> None:
        port = free_port()
        options = ["--control", control, "--port", str(port), "--cache", str(cache)]
        with log.open("ab") as errors:
            command = [sys.executable, "-m", "tests.support.flag_app", *options]
            self.process = subprocess.Popen(command, stdout=errors, stderr=errors)
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
        until(self.answers, 30)

    def answers(self) -> bool:
        try:
            return self.client.get("/nobody").status_code == 200
        except httpx2.HTTPError:
            assert self.process.poll() is None
            return False

    def new(self) -> set[str]:
        """Who gets the new checkout. Each of them gets an answer."""
        found = {user: self.client.get(f"/{user}") for user in USERS}
        assert {answer.status_code for answer in found.values()} == {200}
        return {user for user, answer in found.items() if answer.text == "new"}

    def end(self, how: int) -> None:
        self.process.send_signal(how)
        self.process.wait(20)
        self.client.close()


@contextmanager
def application(control: str, cache: Path, log: Path, how: int = signal.SIGTERM) -> Iterator[Application]:
    app = Application(control, cache, log)
    try:
        yield app
    finally:
        app.end(how)


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        plane.show(moving(2, 3000))
        yield plane


EXPOSED = {user for user in USERS if bucket(user, "salt") < 3000}


def test_a_server_that_is_killed_and_a_full_disk_change_no_answer(
    plane: ControlPlane, small_disk: Path, tmp_path: Path
) -> None:
    log = small_disk / "log"
    with application(plane.address, small_disk, log, signal.SIGKILL) as app:
        until(lambda: app.new() == EXPOSED)
        filler = fill(small_disk)
        plane.move(5000)
        until(lambda: app.new() == {user for user in USERS if bucket(user, "salt") < 5000})
        plane.stop()
        assert app.new() == {user for user in USERS if bucket(user, "salt") < 5000}
        plane.show(plain(9, 4, NEW))
        plane.start()
        until(lambda: app.new() == set(USERS))
    plane.stop()
    with application(plane.address, small_disk, log) as app:  # it could keep nothing since the disk was full
        until(lambda: app.new() == EXPOSED)
        plane.start()
        until(lambda: app.new() == set(USERS))
    filler.unlink()


def test_what_is_damaged_on_disk_is_not_believed_and_the_default_counts_until_there_is_something(
    plane: ControlPlane, tmp_path: Path
) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    with application(plane.address, cache, log, signal.SIGKILL) as app:
        until(lambda: app.new() == EXPOSED)
        until(lambda: list(cache.glob("*.snapshot")))
    (file,) = cache.glob("*.snapshot")
    file.write_text(file.read_text().replace('"30%"', '"99%"'))
    plane.stop()
    with application(plane.address, cache, log) as app:
        assert app.new() == set()
        plane.start()
        until(lambda: app.new() == EXPOSED)


@pytest.mark.parametrize("times", [3, pytest.param(100, marks=pytest.mark.nightly)])
def test_killed_and_started_again_it_answers_right_from_its_first_request(
    plane: ControlPlane, tmp_path: Path, times: int
) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    with application(plane.address, cache, log) as app:
        until(lambda: app.new() == EXPOSED)
        until(lambda: list(cache.glob("*.snapshot")))
    for number in range(times):
        plane.stop() if number % 2 else None
        with application(plane.address, cache, log, signal.SIGKILL) as app:
            until(lambda app=app: app.new() == EXPOSED, 5)  # type: ignore[misc]  # the provider begins beside it
        plane.start() if number % 2 else None


def test_a_thousand_requests_during_changes_and_outages_all_get_an_answer(plane: ControlPlane, tmp_path: Path) -> None:
    with application(plane.address, tmp_path / "cache", tmp_path / "log") as app:
        until(lambda: app.new() == EXPOSED)
        done = threading.Event()

        def trouble() -> None:
            for number in range(5):
                plane.move(3000)
                plane.say("damaged", plane.serial)
                plane.stop()
                plane.show(moving(plane.serial + 1, 3000))
                plane.start()
                done.wait(0.01 * number)
            done.set()

        thread = threading.Thread(target=trouble)
        thread.start()
        asked = 0
        while not done.is_set() or asked < 1000:
            assert app.new() == EXPOSED
            asked += len(USERS)
        thread.join()
