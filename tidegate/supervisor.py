"""The supervisor: a small process that keeps the controller and Envoy alive. `python -m tidegate.supervisor RUN_DIR`.

    begin(run_dir, Plan(...))      `tidegate up`: writes down what is kept, and starts the supervisor unless it runs
    ensure_supervisor(run_dir)     the controller, at every tick: a killed supervisor is back
    stop(run_dir)                  `tidegate down`: supervisor, controller, tasks, Envoy, in this order

Nothing depends on it while it lives elsewhere: what it keeps runs in sessions of its own, and the next supervisor adopts it.
There is one for a run directory, by a lock. While the file `down` lies there (from `stop` until `begin`), nobody brings
anybody back.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tidegate.core.errors import Unreachable
from tidegate.drivers.process.identity import Identity, alive, send
from tidegate.drivers.process.kept import Kept, find
from tidegate.drivers.process.lock import Lock, hold, holder, is_held
from tidegate.drivers.process.rotation import rotate
from tidegate.drivers.process.sweep import INSTANCE, Marked, marked, run_id, unmarked
from tidegate.drivers.process.ward import POLL, Ward, tell

_TASK_GRACE = 10.0
_TEND = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept, in the order in which it ends; and whose tasks end after the first of them."""

    kept: tuple[Kept, ...]
    tasks: str | None = None  # run directory of the process runtime

    def write(self, run_dir: Path) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        aside = _plan(run_dir).with_suffix(".new")
        written = {"kept": [kept.to_json() for kept in self.kept], "tasks": self.tasks}
        aside.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
        aside.replace(_plan(run_dir))

    @staticmethod
    def read(run_dir: Path) -> Plan:
        written = json.loads(_plan(run_dir).read_text(encoding="utf-8"))
        return Plan(tuple(Kept.from_json(kept) for kept in written["kept"]), written["tasks"])


def _plan(run_dir: Path) -> Path:
    return run_dir / "supervisor.json"


def _written(run_dir: Path) -> int:
    try:
        return _plan(run_dir).stat().st_mtime_ns
    except OSError:
        return 0


def _lock(run_dir: Path) -> Path:
    return run_dir / "supervisor.lock"


def _down(run_dir: Path) -> Path:
    return run_dir / "down"


# --- what others ask ----------------------------------------------------------------------------------------------------


def begin(run_dir: Path, plan: Plan) -> None:
    """Writes the plan down and sees to it that a supervisor runs. One that runs takes the new plan over."""
    plan.write(run_dir)
    _down(run_dir).unlink(missing_ok=True)
    ensure_supervisor(run_dir)


def ensure_supervisor(run_dir: Path) -> bool:
    """Starts the supervisor when none runs, and says whether it had to. Cheap; of two that were started one ends at once."""
    if is_held(_lock(run_dir)) or _down(run_dir).exists():
        return False
    log = run_dir / "supervisor.log"
    try:
        # The shell ends at once, so the supervisor is nobody's child and leaves no zombie behind.
        subprocess.run(
            ["/bin/sh", "-c", 'exec "$@" </dev/null >>"$0" 2>&1 &', str(log), *command(run_dir), "--again"],
            env=unmarked(dict(os.environ)),
            start_new_session=True,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unreachable(f"The supervisor of {run_dir} could not be started: {error}.") from error
    return True


def is_going_down(run_dir: Path) -> bool:
    """Whether everything is to end, or has ended, until the next `begin`."""
    return _down(run_dir).exists()


def command(run_dir: Path) -> list[str]:
    """How the supervisor is run in the foreground, as by a service manager."""
    return [sys.executable, "-m", "tidegate.supervisor", str(run_dir)]


def supervisor(run_dir: Path) -> Identity | None:
    """The one that runs now."""
    return holder(_lock(run_dir))


def stop(run_dir: Path, within: float = 120.0) -> None:
    """Ends everything in order and returns when nothing is left, also when the supervisor or the controller is dead.

    Raises Unreachable when it takes longer than `within` seconds.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    _go_down(run_dir)
    with _succeed(run_dir, within):
        if _plan(run_dir).exists():
            Supervisor(run_dir).end()


def _go_down(run_dir: Path) -> None:
    # On a full disk it goes down all the same; somebody may then be brought back in between, and ends with the rest.
    with suppress(OSError):
        _down(run_dir).touch()


def _succeed(run_dir: Path, within: float) -> Lock:
    """Tells the supervisor to end, and takes its place when it has."""
    limit = time.monotonic() + within
    told: set[Identity] = set()
    while (lock := hold(_lock(run_dir), patience=0.1)) is None:
        running = supervisor(run_dir)
        if running is not None and running not in told:
            told.add(running)  # once: a second signal would hurry it
            send(running, signal.SIGTERM)
        if time.monotonic() > limit:
            raise Unreachable(
                f"The supervisor of {run_dir} did not end within {within:.0f} s.",
                f"See {run_dir / 'supervisor.log'}, and ask again.",
            )
    while any(alive(one) for one in told) and time.monotonic() < limit:
        time.sleep(0.01)
    return lock


# --- the process --------------------------------------------------------------------------------------------------------


class Supervisor:
    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._plan = Plan.read(run_dir)
        self._read = _written(run_dir)
        self._wards = [Ward(kept) for kept in self._plan.kept]
        self._told = 0  # how often we were told to end
        self._tended = 0.0

    def run(self) -> None:
        """Until SIGTERM or SIGINT; then everything is ended. A second signal hurries."""
        wake, woken = os.pipe()
        for end in (wake, woken):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._hear)
        while not self._told:
            self._turn()
            select.select([wake], [], [], POLL)
            with suppress(BlockingIOError):
                os.read(wake, 4096)
        _go_down(self._run_dir)
        self.end()

    def _turn(self) -> None:
        codes = _reap()
        for ward in self._wards:
            try:
                ward.look(codes)
            except OSError as error:
                tell(f"{ward.kept.name} could not be looked after: {error}")
        if time.monotonic() - self._tended > _TEND:
            self._tended = time.monotonic()
            self._read_again()
            self._tend_logs()

    def _read_again(self) -> None:
        """A new plan holds for the next start of everybody; who is no longer in it is no longer brought back."""
        if _written(self._run_dir) == self._read:
            return
        try:
            self._plan = Plan.read(self._run_dir)
        except (OSError, ValueError, KeyError, TypeError) as error:
            tell(f"the new plan cannot be read, the old one holds: {error}")
        else:
            known = {ward.kept.name: ward for ward in self._wards}
            self._wards = [known.get(kept.name) or Ward(kept) for kept in self._plan.kept]
            for ward, kept in zip(self._wards, self._plan.kept, strict=True):
                ward.kept = kept
            tell("took over a new plan")
        self._read = _written(self._run_dir)

    def end(self) -> None:
        """Ends the first of the kept (the controller), then the tasks, then the others. Repeating it does no harm."""
        for number, ward in enumerate(self._wards):
            self._end_kept(ward.kept)
            if number == 0:
                self._end_tasks()
        tell("everything has ended")

    def _end_kept(self, kept: Kept) -> None:
        process = find(kept, thoroughly=True)
        if process is None:
            return
        for number, patience in ((signal.Signals(kept.signal), kept.grace), (signal.SIGKILL, 5.0)):
            tell(f"{kept.name}, process {process.pid}, is told to end by {number.name}")
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
            if self._wait(lambda: not alive(process), patience):
                return
        tell(f"{kept.name}, process {process.pid}, does not end")

    def _end_tasks(self) -> None:
        """Those that the controller left behind, because it does so or because it was killed."""
        if self._plan.tasks is None or not Path(self._plan.tasks).is_dir():
            return
        run = run_id(Path(self._plan.tasks))
        for number, patience in ((signal.SIGTERM, _TASK_GRACE), (signal.SIGKILL, 5.0)):
            left = _tasks(run)
            if not left:
                return
            tell(f"{len(left)} processes of tasks are told to end by {number.name}")
            for one in left:
                with suppress(ProcessLookupError):
                    os.kill(one.identity.pid, number)
            if self._wait(lambda: not _tasks(run), patience):
                return

    def _wait(self, holds: Callable[[], bool], patience: float) -> bool:
        begun = time.monotonic()
        while True:
            _reap()
            if holds():
                return True
            if time.monotonic() - begun > (patience if self._told < 2 else min(patience, 0.5)):
                return False
            time.sleep(0.02)

    def _tend_logs(self) -> None:
        for kept in self._plan.kept:
            rotate(Path(kept.log))
        rotate(self._run_dir / "supervisor.log")

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signal handlers are called
        if number != signal.SIGCHLD:
            self._told += 1


def _tasks(run: str) -> list[Marked]:
    return [one for one in marked(run) if INSTANCE in one.marks]


def _reap() -> dict[int, int]:
    """Takes the exit codes of all children that ended; also of orphans that came to us when we are the first process."""
    codes: dict[int, int] = {}
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            codes[pid] = os.waitstatus_to_exitcode(status)
    return codes


def main(arguments: Sequence[str]) -> int:
    run_dir = Path(arguments[0]).absolute()
    again = "--again" in arguments
    lock = hold(_lock(run_dir))
    if lock is None:
        return 0
    with lock:
        if again and _down(run_dir).exists():
            return 0
        _down(run_dir).unlink(missing_ok=True)
        Supervisor(run_dir).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
