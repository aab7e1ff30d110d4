"""The doctor: each thing that can be wrong is found, with its mend, and hides no other."""

from __future__ import annotations

import socket
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.served import House
from tidegate.cli.checks import Check, examine
from tidegate.drivers.process.lock import hold
from tidegate.settings import Settings


def _found(home: Path, port: int = 0) -> dict[str, Check]:
    settings = Settings(home=home, database=f"sqlite:///{home / 'tidegate.db'}", port=port)
    return {check.name: check for check in examine(settings)}


def test_every_check_is_made_and_the_worst_is_the_exit_code(served: House, run: Run) -> None:
    ran = run("doctor")
    names = ["home", "socket", "controller", "supervisor", "envoy", "port", "disk", "open files", "database", "clock"]
    assert [one["check"] for one in run("doctor", "--json").json] == names
    assert ran.code == 2, "a controller in this process has no supervisor"
    assert "None runs: a dead controller would stay dead." in ran.out


def test_what_is_well_is_said_with_its_value(served: House, home: Path) -> None:
    served.run("v1")
    found = _found(home)
    assert [name for name, check in found.items() if not check.ok] == ["supervisor"]
    assert found["envoy"].told.startswith("1.")
    assert "last tick" in found["controller"].told


def test_a_home_and_a_socket_open_to_others(served: House, home: Path) -> None:
    home.chmod(0o755)
    (home / "api.sock").chmod(0o666)
    found = _found(home)
    assert found["home"].mend == f"Close it: chmod 700 {home}"
    assert found["socket"].mend == f"Close it: chmod 600 {home / 'api.sock'}"


def test_nobody_listens(home: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(home / "api.sock"))
    left.close()
    (home / "api.sock").chmod(0o600)
    found = _found(home)
    assert "Nobody listens" in found["socket"].told
    assert found["controller"].mend == "Start it: tidegate up --detach."
    assert found["supervisor"].ok
    assert not found["socket"].ok


def test_a_controller_that_does_not_come_up_although_it_is_supervised(home: Path) -> None:
    lock = hold(home / "supervisor.lock")
    assert lock is not None
    with lock:
        found = _found(home)
    assert found["supervisor"].ok
    assert str(home / "controller.log") in found["controller"].mend


def test_a_controller_in_trouble(served: House, home: Path) -> None:
    served.problems.append("The database is locked.")
    assert _found(home)["controller"].told == "The database is locked."
    served.now += timedelta(minutes=5)
    assert "stuck" in _found(home)["controller"].told


def test_a_taken_port_and_one_on_which_nobody_listens(home: Path, served: House) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert _found(home, port)["port"].ok
    assert "another TIDEGATE_PORT" in _found(home, port)["port"].mend


def test_a_taken_port_before_it_is_up(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        found = _found(home, other.getsockname()[1])["port"]
    assert not found.ok
    assert "TIDEGATE_PORT" in found.mend


def test_a_damaged_database(home: Path) -> None:
    (home / "tidegate.db").write_bytes(b"this is no database, and it is long enough to be read as one" * 20)
    assert not _found(home)["database"].ok
    (home / "tidegate.db").unlink()
    sqlite3.connect(home / "tidegate.db").close()
    assert _found(home)["database"].ok


def test_a_clock_that_went_back(served: House, home: Path) -> None:
    served.run("v1")
    assert _found(home)["clock"].ok
    served.now += timedelta(days=400 * 365)
    served.deploy("v2")
    assert "Set the clock" in _found(home)["clock"].mend


@pytest.mark.parametrize("name", ["home", "database"])
def test_a_home_that_is_not_there_yet_is_no_problem(tmp_path: Path, name: str) -> None:
    assert _found(tmp_path / "nowhere")[name].ok
