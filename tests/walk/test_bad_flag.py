"""A bad flag takes itself back, with nothing but the middleware: a real application, real requests, a real controller."""

from __future__ import annotations

import http.client
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from tests.support.walk import Tidegate, free_port, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

PROD = "/applications/shop/environments/prod"
OFF = {"application": "shop", "flags": {"checkout": "off"}}
ON = {"application": "shop", "flags": {"checkout": "on"}}
TEN_PERCENT = {"canary": {"first": "10%", "hold": "10m"}, "bake": "1s"}
FAULTS = 0.3
PER_SECOND = 100
THREADS = 10


@dataclass
class Users:
    """Real requests, so many a second, each of another user. `new` says when each one with the new flag ended, and how."""

    port: int
    new: list[tuple[float, int]] = field(default_factory=list)
    asked: int = 0
    broken: list[str] = field(default_factory=list)
    _number: Iterator[int] = field(default_factory=itertools.count)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Users:
        self._threads = [threading.Thread(target=self._ask, args=(place,)) for place in range(THREADS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def more(self, seconds: int) -> None:
        """Waits for as many requests as come in that time."""
        asked = self.asked + seconds * PER_SECOND
        until(lambda: self.asked > asked, 4 * seconds + 20, "more requests")

    def _ask(self, place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        due = time.monotonic() + place / PER_SECOND
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            due += THREADS / PER_SECOND
            try:
                connection.request("GET", f"/user-{next(self._number)}")
                answer = connection.getresponse()
                if answer.read() == b"new":
                    self.new.append((time.monotonic(), answer.status))
            except OSError as error:
                self.broken.append(repr(error))
                connection.close()
            self.asked += 1
        connection.close()


@dataclass(frozen=True)
class Fall:
    """How one bad flag fell: seconds from the first user who got it to the last one, and how many did."""

    seconds: float
    users: int
    failed: int


@pytest.fixture
def tidegate() -> Iterator[Tidegate]:
    """With the tick that users have."""
    with Tidegate(tick="1s") as running:
        yield running


@pytest.fixture
def users(tidegate: Tidegate) -> Iterator[Users]:
    """Some time of good days, with the flag off."""
    tidegate.settled(str(tidegate.ask("POST", f"{PROD}/deploy", content=OFF)["rollout"]["id"]))
    port = free_port()
    control = str(tidegate.home / "api.sock")
    command = [sys.executable, "-m", "tests.support.flag_app"]
    options = ["--control", control, "--port", str(port), "--faults", str(FAULTS)]
    with ExitStack() as stack:
        app = stack.enter_context(subprocess.Popen([*command, *options]))
        stack.callback(app.terminate)
        until(lambda: _answers(port), 30, "the application answers")
        until(lambda: tidegate.ask("GET", PROD)["agents"], 30, "its agent is heard")
        users = stack.enter_context(Users(port))
        users.more(8)
        yield users
        assert users.broken == []


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/nobody")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def fall(tidegate: Tidegate, users: Users) -> Fall:
    """Deploys the bad flag, and waits until it is gone."""
    users.new.clear()
    id_ = str(tidegate.ask("POST", f"{PROD}/deploy", content=ON, plan=TEN_PERCENT)["rollout"]["id"])
    ended = tidegate.settled(id_, within=60)
    assert ended["phase"] == "rolled_back", ended
    assert ended["reason"].startswith("comparison"), ended["reason"]
    new = sorted(users.new)
    return Fall(new[-1][0] - new[0][0], len(new), sum(status == 500 for _, status in new))


def test_a_bad_flag_takes_itself_back_within_seconds(tidegate: Tidegate, users: Users, told: Callable[[str], None]) -> None:
    seen = fall(tidegate, users)
    told(f"gone {seen.seconds:.1f} s after the first user got it; of {seen.users} requests {seen.failed} failed")
    users.more(2)
    assert len(users.new) == seen.users
    assert seen.seconds < 15


@pytest.mark.nightly
def test_twenty_bad_flags_take_themselves_back_within_five_seconds_each(
    tidegate: Tidegate, users: Users, told: Callable[[str], None]
) -> None:
    falls = []
    users.more(60)
    for _ in range(20):
        falls.append(fall(tidegate, users))
        users.more(3)
    told(f"seconds {sorted(round(one.seconds, 1) for one in falls)}, failed {sorted(one.failed for one in falls)}")
    assert max(one.seconds for one in falls) < 5
