"""`tidegate up` and `tidegate down`: begin and end everything of one home."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path

import httpx2

from tidegate.core.errors import Refused, Unreachable
from tidegate.drivers.envoy.bootstrap import LOG
from tidegate.drivers.envoy.process import BOOTSTRAP, LOCK, RECORD, EnvoyProcess, check_watches
from tidegate.drivers.process.kept import Kept
from tidegate.settings import Settings
from tidegate.store.database import open_database
from tidegate.supervisor import Plan, begin, command, stop, supervisor

UP_WITHIN = 30.0
"""Seconds until the controller answers, on a slow machine."""


def up(settings: Settings, *, detach: bool) -> str:
    """Starts supervisor, controller and Envoy; what ran before is adopted. Detached it returns when the controller answers,
    with a sentence; else it becomes the supervisor, and does not return."""
    _make_home(settings.home)
    if supervisor(settings.home) is not None:
        return f"Tidegate is already up in {settings.home}."
    _check_port(settings.port)
    # Said now, and not by a controller that cannot start: it migrates, and is refused where it is damaged or newer.
    open_database(settings.database).dispose()
    plan = _plan(settings)
    if not detach:
        plan.write(settings.home)
        os.execv(sys.executable, command(settings.home))
    begin(settings.home, plan)
    _wait_until_up(settings)
    return f"Tidegate is up in {settings.home}."


def down(settings: Settings) -> str:
    """Ends everything: rollouts stay where they are written down, and go on at the next `up`."""
    if supervisor(settings.home) is None and not (settings.home / "supervisor.json").exists():
        return f"Tidegate is not up in {settings.home}."
    with (settings.home / "supervisor.log").open("a") as log, redirect_stderr(log):  # as if the supervisor itself did it
        stop(settings.home)
    return "Tidegate is down: no task and no Envoy of it runs any more."


def _plan(settings: Settings) -> Plan:
    envoy = EnvoyProcess(settings.home / "envoy")
    envoy.lay_out()
    check_watches(envoy.run_dir)
    controller = Kept(
        name="controller",
        command=(sys.executable, "-m", "tidegate.controller", str(settings.home)),
        pidfile=str(settings.home / "controller.json"),
        log=str(settings.home / "controller.log"),
        directory=str(settings.home),
        grace=600.0,  # it ends the tasks, and gives each as long as its service file says
    )
    return Plan((controller, _kept_envoy(envoy)), tasks=str(settings.home / "tasks"))


def _kept_envoy(envoy: EnvoyProcess) -> Kept:
    """The supervisor keeps it by the same record and lock as EnvoyProcess does."""
    run_dir = envoy.run_dir
    return Kept(
        name="envoy",
        command=tuple(envoy.command()),
        pidfile=str(run_dir / RECORD),
        log=str(run_dir / LOG),
        directory=str(run_dir),
        lock=str(run_dir / LOCK),
        needs=(str(run_dir / BOOTSTRAP),),
        open_files=True,
        grace=5.0,
    )


def _make_home(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "envoy").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Refused(f"{home} cannot be made: {error.strerror}.", "Set TIDEGATE_HOME to a directory of yours.") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise Refused(
            f"{home} cannot be written by {os.environ.get('USER', 'you')}.", "Set TIDEGATE_HOME to a directory of yours."
        )


def _check_port(port: int) -> None:
    if not port:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Refused(
                f"Port {port} of 127.0.0.1 is taken ({error.strerror}).",
                "Set TIDEGATE_PORT to a free port, or to 0 for no port: the CLI needs none.",
            ) from error


def _wait_until_up(settings: Settings) -> None:
    deadline = time.monotonic() + UP_WITHIN
    transport = httpx2.HTTPTransport(uds=str(settings.socket))
    with httpx2.Client(transport=transport, base_url="http://tidegate", timeout=2.0) as client:
        while time.monotonic() < deadline:
            try:
                if client.get("/v1/health").status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            time.sleep(0.05)
    log = settings.home / "controller.log"
    raise Unreachable(
        f"The controller did not answer within {UP_WITHIN:.0f} s. Its last words: {_last_words(log)}",
        f"See {log}; tidegate doctor looks for the usual reasons.",
    )


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "none"
    last = lines[-1] if lines else "none"
    try:
        return str(json.loads(last)["problem"])
    except (ValueError, KeyError, TypeError):
        return last
