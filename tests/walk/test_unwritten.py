"""A bad version is taken back while nothing can be written down: another process has locked the database, the disk is full."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.crowd import Crowd
from tests.support.full_disk import fill
from tests.support.walk import CANARY, Tidegate, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

Told = Callable[[str], None]
BAD = ["--fail", "GET=20%:500"]

_HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def _locked(tidegate: Tidegate) -> Iterator[None]:
    """Another process writes to the database, and does not end."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tidegate.home / "tidegate.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={},
        cwd="/",
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        yield
    finally:
        holder.communicate(timeout=10)


def _watched(tidegate: Tidegate, service: str) -> str:
    """A bad version at half of the users, none of whom has come yet."""
    id_ = tidegate.deploy(service, f"{service}-bad", BAD, plan=CANARY)
    tidegate.phase(id_, "watching")
    return id_


def _gone(crowd: Crowd, version: str, began: float) -> float:
    """Waits until this version serves nobody any more; the seconds from its first failure until its last request."""

    def look() -> bool:
        last = max((one.ended for one in crowd.asked if one.version == version), default=time.monotonic())
        return time.monotonic() - last > 1.5

    until(look, 30, f"nobody is on {version}", step=0.1)
    served = [one.ended for one in crowd.asked if one.version == version]
    return max(served) - began


def _problems(tidegate: Tidegate) -> str:
    return " ".join(tidegate.ask("GET", "/health")["problems"])


def _check_told(tidegate: Tidegate, id_: str) -> None:
    """While it is not written: status, health and doctor say so."""
    shown = tidegate.rollout(id_)
    assert (shown["phase"], shown["applied"]) == ("rolling_back", "0%")
    assert "(not written down yet: The database" in shown["why"]
    assert "Nothing could be written down since" in _problems(tidegate)
    assert f"{id_} goes back all the same." in _problems(tidegate)
    assert tidegate.state(id_)[0] == "watching", "as it is written"
    assert "not written down yet" in " ".join(tidegate.tidegate("status", shown["service"]).stdout.split())
    doctor = tidegate.tidegate("doctor")
    assert doctor.returncode == 2
    assert "Nothing could be written down since" in " ".join(doctor.stdout.split())


def _check_written(tidegate: Tidegate, id_: str, *, troubled: int = 1) -> None:
    """Once it can be written, it is told once, with its own time, and everything goes on. `troubled`: controllers."""
    rollout = tidegate.settled(id_)
    assert rollout["phase"] == "rolled_back"
    events = tidegate.ask("GET", f"/rollouts/{id_}/events")["events"]
    back = [event for event in events if event["kind"] == "roll_back"]
    assert len(back) == 1
    assert "written down" in back[0]["why"]
    assert _problems(tidegate) == ""
    said = (tidegate.home / "controller.log").read_text()
    assert said.count('"event": "written_again"') == 1
    assert said.count('"event": "nothing_can_be_written"') <= troubled, "a full disk may have swallowed it"


def test_a_bad_version_is_taken_back_while_another_process_holds_the_database(told: Told) -> None:
    with Tidegate() as tidegate:
        port = tidegate.serve("shop")
        id_ = _watched(tidegate, "shop")
        with Crowd(port, rate=100) as crowd:
            with _locked(tidegate):
                began = time.monotonic()
                took = _gone(crowd, "shop-bad", began)
                _check_told(tidegate, id_)
                assert "locked by another process" in _problems(tidegate)
            _check_written(tidegate, id_)
        assert crowd.failures_told() == {}
        told(f"locked database: nobody is on the bad version {took:.2f} s after its first request")


def test_an_abort_and_a_restart_while_the_database_is_locked_expose_nobody_again(told: Told) -> None:
    with Tidegate() as tidegate:
        port = tidegate.serve("shop")
        id_ = tidegate.deploy("shop", "shop-good", plan=CANARY)
        tidegate.phase(id_, "watching")
        with Crowd(port, rate=100) as crowd:
            with _locked(tidegate):
                began = time.monotonic()
                done = tidegate.tidegate("abort", "shop")
                assert done.returncode == 0, done.stderr
                gone = _gone(crowd, "shop-good", began)
                tidegate.back("controller", tidegate.kill("controller"))
                tidegate.answers()
                killed = time.monotonic()
                time.sleep(2)
                assert tidegate.rollout(id_)["phase"] == "rolling_back"
            assert tidegate.settled(id_)["phase"] == "rolled_back"
            time.sleep(0.5)
        assert set(crowd.by_version(since=killed)) == {"v1"}
        assert crowd.failures_told() == {}
        told(f"locked database: nobody is on it {gone:.2f} s after abort was asked for, and not after a restart either")


def test_a_bad_version_is_taken_back_while_the_disk_is_full(small_disk: Path, tmp_path: Path, told: Told) -> None:
    with Tidegate(home=small_disk / "home") as tidegate:
        tidegate.ledger = tmp_path / "ledger"  # the tills have room
        port = tidegate.serve("shop")
        id_ = _watched(tidegate, "shop")
        filler = fill(small_disk)
        until(lambda: "disk is full" in _problems(tidegate), 20, "nothing can be written", tidegate.words)
        with Crowd(port, rate=100) as crowd:
            began = time.monotonic()
            took = _gone(crowd, "shop-bad", began)
            _check_told(tidegate, id_)
            tidegate.kill("controller")
            tidegate.answers()
            time.sleep(2)
            assert tidegate.rollout(id_)["phase"] == "rolling_back"
            killed = time.monotonic()
            filler.unlink()
            _check_written(tidegate, id_, troubled=2)
        assert set(crowd.by_version(since=killed)) == {"v1"}
        assert crowd.failures_told() == {}
        told(f"full disk: nobody is on the bad version {took:.2f} s after its first request")
