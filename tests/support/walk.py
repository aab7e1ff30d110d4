"""A real Tidegate for a walk: `tidegate up` in a home of its own, with free ports; asked over its unix socket, killed by
process id, and ended without leaving anything behind.

with Tidegate() as tidegate:
    tidegate.deploy("shop", "v1")
    tidegate.ended("shop-1")
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from tests.support.ports import free_port as free_port
from tidegate.core.exposure import bucket

T = TypeVar("T")

TILL = Path(__file__).with_name("till.py")
CANARY = {"canary": {"first": "50%", "hold": "60s"}, "bake": "1s", "keep_baseline": "1s"}
QUICK = {"linear": {"step": "25%", "every": "500ms"}, "bake": "500ms", "keep_baseline": "1s"}
ERRORS = {"name": "errors", "metric": "error_rate", "above": "5%", "period": "1s", "datapoints": "1 of 1"}


class Tidegate:
    def __init__(self, *, tick: str = "100ms", home: Path | None = None, **env: str) -> None:
        # A unix socket wants a short path.
        self.home = home or Path(tempfile.mkdtemp(prefix="tg-", dir="/tmp"))
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.ledger = self.home / "ledger"
        self.ledger.touch()
        self.ports: dict[str, int] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.env = {**os.environ, "TIDEGATE_HOME": str(self.home), "TIDEGATE_PORT": "0", "TIDEGATE_TICK": tick, **env}

    def __enter__(self) -> Tidegate:
        try:
            self.up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """`tidegate down`, and then whatever is left is killed, whatever happened before."""
        try:
            self.tidegate("down")
        finally:
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.home, ignore_errors=True)

    # --- as a person at a terminal ------------------------------------------------------------------------------------

    def tidegate(self, *words: str, within: float = 90, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tidegate", *words]
        try:
            return subprocess.run(
                command, env={**self.env, **env}, cwd=self.home, capture_output=True, text=True, timeout=within, check=False
            )
        except subprocess.TimeoutExpired as expired:
            raise AssertionError(f"{expired}\n{self.whereabouts()}") from expired

    def up(self) -> float:
        """Seconds until it answered."""
        began = time.monotonic()
        done = self.tidegate("up", "--detach")
        assert done.returncode == 0, done.stdout + done.stderr + self.words()
        return time.monotonic() - began

    def down(self) -> float:
        began = time.monotonic()
        done = self.tidegate("down")
        assert done.returncode == 0, done.stdout + done.stderr
        return time.monotonic() - began

    def words(self, lines: int = 15) -> str:
        """The last words of the controller, for when something went wrong."""
        with suppress(OSError):
            return "\n".join(line[:1500] for line in (self.home / "controller.log").read_text().splitlines()[-lines:])
        return ""

    def whereabouts(self) -> str:
        """Where the controller is in each of its threads, and what was said before, for when it does not get on."""
        log, supervisor = self.home / "controller.log", self.home / "supervisor.log"
        with suppress(OSError, AssertionError):
            said = log.stat().st_size
            os.kill(self.pid("controller"), signal.SIGUSR1)
            until(lambda: log.stat().st_size > said, 5, "where it is")
        return f"{self.words(100)}\n{supervisor.read_text()[-2000:] if supervisor.exists() else ''}"

    # --- service files ------------------------------------------------------------------------------------------------

    def file(self, service: str, faults: Sequence[str] = (), **changes: Any) -> dict[str, Any]:
        """A service file; `faults` are the till's."""
        port = self.ports.setdefault(service, free_port())
        till = [sys.executable, "-I", "-S", str(TILL), "--port", "{port}", "--version", "{version}"]
        tasks = {
            "command": [*till, "--ledger", str(self.ledger), *faults],
            "count": 2,
            "health": {"path": "/healthz", "interval": "100ms", "healthy_after": 1, "unhealthy_after": 3},
            "drain": "300ms",
        }
        content = {"service": service, "listener": {"port": port}, "tasks": tasks, "plan": QUICK, "alarms": [ERRORS]}
        content["compare"] = "off"  # most walks are about alarms; what compares says so itself
        return content | changes | {"tasks": tasks | changes.get("tasks", {})}

    def write(self, content: dict[str, Any], name: str = "service.yaml") -> str:
        """To disk, for the command line. JSON is YAML."""
        (self.home / name).write_text(json.dumps(content))
        return name

    # --- the API ------------------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """The answer; of what was refused the problem is in the AssertionError."""
        status, answer = self._exchange(method, path, content)
        assert status < 400, answer
        return json.loads(answer)

    def _exchange(self, method: str, path: str, content: object = None, timeout: float = 20) -> tuple[int, str]:
        """Raises OSError while nobody answers. A connection of its own for each, for the controller may be another one."""
        connection = _OverSocket(str(self.home / "api.sock"), timeout)
        try:
            body = json.dumps(content) if content else None
            connection.request(method, f"/v1{path}", body, {"content-type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except http.client.HTTPException as error:
            raise ConnectionError(f"it broke off: {error!r}") from error
        finally:
            connection.close()

    def deploy(self, service: str, version: str, faults: Sequence[str] = (), **changes: Any) -> str:
        """Begins a rollout and returns its id."""
        file = self.file(service, faults, **changes)
        done = self.ask("POST", f"/services/{service}/deploy", file=file, version=version)
        return str(done["rollout"]["id"])

    def serve(self, service: str, version: str = "v1", faults: Sequence[str] = (), **changes: Any) -> int:
        """A first version serves; the port where."""
        self.ended(self.deploy(service, version, faults, **changes))
        until(lambda: self.rollout(f"{service}-1")["tidy"] == "", 10, "the first version is tidied")
        return self.ports[service]

    def rollout(self, id_: str) -> dict[str, Any]:
        return dict(self.ask("GET", f"/rollouts/{id_}"))

    def seen(self, id_: str) -> dict[str, Any] | None:
        """The same; None while the controller does not answer."""
        try:
            return self.rollout(id_)
        except OSError:
            return None

    def ended(self, id_: str, *, within: float = 60) -> dict[str, Any]:
        """The rollout once it has completed or was rolled back."""

        def look() -> dict[str, Any] | None:
            found = self.seen(id_)
            return found if found is not None and not found["in_flight"] else None

        return until(look, within, f"{id_} ends", lambda: f"{self.seen(id_)}\n{self.words()}")

    def settled(self, id_: str, *, within: float = 60) -> dict[str, Any]:
        """The rollout once its lever is free: nothing more is counted for it."""

        def look() -> dict[str, Any] | None:
            found = self.seen(id_)
            return found if found is not None and not found["in_flight"] and found["tidy"] in ("", "keep", "retire") else None

        return until(look, within, f"{id_} is settled", lambda: f"{self.seen(id_)}\n{self.words()}")

    def tidied(self, id_: str, *, within: float = 60) -> dict[str, Any]:
        """The rollout once nothing is left to do."""

        def look() -> dict[str, Any] | None:
            found = self.seen(id_)
            return found if found is not None and not found["in_flight"] and not found["tidy"] else None

        return until(look, within, f"{id_} is tidied", lambda: f"{self.seen(id_)}\n{self.words()}")

    def phase(self, id_: str, phase: str, *, within: float = 30) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.seen(id_)
            return found if found is not None and found["phase"] == phase else None

        return until(look, within, f"{id_} is {phase}", lambda: f"{self.seen(id_)}\n{self.words()}")

    # --- what nobody but the house itself should look at --------------------------------------------------------------

    def state(self, id_: str) -> tuple[str, str]:
        """Phase and tidy stage as they are written down, without asking the controller."""
        with self._database() as database:
            row = database.execute("SELECT state FROM rollouts WHERE id = ?", (id_,)).fetchone()
        state = json.loads(row[0])
        return state["phase"], state["tidy"]

    def healed(self, id_: str, since: int, within: float = 30) -> float:
        """Waits until a loop writes this rollout again, after it was written for the `since`th time; the seconds it took."""
        began = time.monotonic()
        until(lambda: self.revision(id_) > since, within, f"{id_} is looked after again", self.words, step=0.005)
        return time.monotonic() - began

    def revision(self, id_: str) -> int:
        with self._database() as database:
            return int(database.execute("SELECT revision FROM rollouts WHERE id = ?", (id_,)).fetchone()[0])

    def salt(self, service: str) -> str:
        with self._database() as database:
            return str(database.execute("SELECT salt FROM services WHERE name = ?", (service,)).fetchone()[0])

    def _database(self) -> _Closing:
        return _Closing(self.home / "tidegate.db")

    def user_between(self, service: str, low: int, high: int) -> str:
        """Somebody who is exposed at `high` ten-thousandths and not at `low`."""
        salt = self.salt(service)
        return next(user for user in map(str, range(1_000_000)) if low <= bucket(user, salt) < high)

    # --- processes ----------------------------------------------------------------------------------------------------

    def pid(self, who: str) -> int:
        """Of the controller, the supervisor or Envoy, as it was last noted."""
        if who == "supervisor":
            from tidegate.supervisor import supervisor

            found = supervisor(self.home)
            return found.pid if found else 0
        path = self.home / {"controller": "controller.json", "envoy": "envoy/envoy.json"}[who]
        return int(json.loads(path.read_text())["pid"])

    def kill(self, who: str) -> int:
        pid = self.pid(who)
        os.kill(pid, signal.SIGKILL)
        return pid

    def back(self, who: str, killed: int, within: float = 60) -> float:
        """Waits until another one runs in its place; the seconds that it took."""
        began = time.monotonic()

        def look() -> bool:
            with suppress(OSError, ValueError, KeyError):
                pid = self.pid(who)
                return pid not in (0, killed) and Path(f"/proc/{pid}").exists()
            return False

        until(look, within, f"the {who} is back", step=0.005)
        return time.monotonic() - began

    def answers(self, within: float = 60) -> float:
        """Waits until the API answers; the seconds that it took."""
        began = time.monotonic()

        def look() -> bool:
            with suppress(OSError):
                return self._exchange("GET", "/health", timeout=1.0)[0] == 200
            return False

        until(look, within, "the API answers", self.words, step=0.01)
        return time.monotonic() - began

    def processes(self) -> list[int]:
        """Everything that has this home in its command or its environment, but for ourselves."""
        mark = re.compile(re.escape(str(self.home).encode()) + rb"(?![\w-])")
        return [pid for pid in _all_pids() if pid != os.getpid() and mark.search(_words(pid))]

    def tasks(self, service: str, version: str) -> list[int]:
        found = self.ask("GET", f"/services/{service}")["tasks"]
        return [task["pid"] for task in found if task["version"] == version and task["state"] == "healthy"]

    # --- accounts -----------------------------------------------------------------------------------------------------

    def told_by_the_till(self, service_version: str) -> dict[tuple[str, str], int]:
        """What the tasks of a version did themselves: by method and status."""
        counted: dict[tuple[str, str], int] = {}
        for line in self.ledger.read_text().splitlines():
            version, method, status = line.split(" ")
            if version == service_version:
                counted[method, status] = counted.get((method, status), 0) + 1
        return counted


class _OverSocket(http.client.HTTPConnection):
    """HTTP over a unix socket, which is closed also when nobody listens."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("tidegate", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        door = socket.socket(socket.AF_UNIX)
        door.settimeout(self.timeout)
        try:
            door.connect(self._path)
        except OSError:
            door.close()
            raise
        self.sock = door


class _Closing:
    """A database that is only read, and closed."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)

    def __enter__(self) -> sqlite3.Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def until(
    look: Callable[[], T], within: float, what: str, why: Callable[[], object] = lambda: "", *, step: float = 0.03
) -> Any:
    """What `look` finds as soon as that is something."""
    deadline = time.monotonic() + within
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what}. {why()}")
        time.sleep(step)


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _words(pid: int) -> bytes:
    found = b""
    for name in ("cmdline", "environ"):
        with suppress(OSError):
            found += Path(f"/proc/{pid}/{name}").read_bytes() + b"\0"
    return found
