"""The world of the keeper, for real: processes of this machine, notes on its disk, checks over its network."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from signal import Signals

import structlog

from tidegate.core.errors import Refused, Unreachable
from tidegate.core.service import Service
from tidegate.drivers.process.free_port import free_port
from tidegate.drivers.process.health import HealthWatch
from tidegate.drivers.process.identity import Identity, alive, send
from tidegate.drivers.process.life import LEAST_GRACE, Verdict
from tidegate.drivers.process.logs import log_path, open_log, tail
from tidegate.drivers.process.notes import Notes
from tidegate.drivers.process.probe import Check
from tidegate.drivers.process.record import Record
from tidegate.drivers.process.spawn import order, spawn
from tidegate.drivers.process.sweep import INSTANCE, marked, run_id
from tidegate.drivers.process.undertaker import Undertaker
from tidegate.ports import TaskState

_WORDS, _LENGTH = 5, 500
"""The last words of a task: so many lines, so many characters."""


class Machine:
    def __init__(self, run_dir: Path, log_size: int, log_files: int) -> None:
        self._run_dir = run_dir
        self._run_id = run_id(run_dir)
        self._notes = Notes(run_dir / "tasks")
        self._undertaker = Undertaker(run_dir, self._run_id, log_size, log_files)
        self._health = HealthWatch()
        self._children: set[int] = set()
        self._log_from: dict[str, int] = {}

    def load(self) -> tuple[list[Record], float]:
        leaders = {one.marks[INSTANCE]: one.identity for one in marked(self._run_id) if one.leads and INSTANCE in one.marks}
        records = [_found_again(record, leaders) for record in self._notes.load()]
        for record in records:
            if record.process is not None:
                self._undertaker.expect(record.instance)
        self._undertaker.begin()
        return records, self._notes.load_clock()

    def save(self, record: Record) -> None:
        self._notes.save(record)

    def forget(self, record: Record) -> None:
        self._notes.forget(record)
        self._log_from.pop(record.instance, None)

    def save_clock(self, seconds: float) -> None:
        self._notes.save_clock(seconds)

    def free_port(self, taken: Collection[int]) -> int:
        return free_port(taken)

    def new_instance(self) -> str:
        return secrets.token_hex(8)

    # --- processes ----------------------------------------------------------------------------------------------------

    def start(self, record: Record, service: Service) -> Identity:
        wanted = order(record, service, self._run_id)
        path = log_path(self._run_dir, record.service, record.id)
        try:
            log = open_log(path)
        except OSError as error:
            raise Unreachable(f"{path} could not be opened: {error.strerror}.") from error
        self._log_from[record.instance] = os.fstat(log).st_size
        self._undertaker.expect(record.instance)
        try:
            process = spawn(wanted, log)
        except (Refused, Unreachable):
            self._undertaker.bury(record.instance, 0.0)
            raise
        finally:
            os.close(log)
        self._children.add(process.pid)
        return process

    def ended(self, record: Record) -> str | None:
        process = record.process
        if process is None:
            return "before it was noted"
        if process.pid in self._children:
            return self._reaped(process.pid)
        return None if alive(process) else "while nobody waited for it"

    def _reaped(self, pid: int) -> str | None:
        try:
            reaped, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            self._children.discard(pid)
            return "and somebody else took its exit code"
        if not reaped:
            return None
        self._children.discard(pid)
        return _said(os.waitstatus_to_exitcode(status))

    def signal(self, record: Record, number: Signals) -> None:
        if record.process is None:
            return
        try:
            send(record.process, number)
        except PermissionError as error:
            structlog.get_logger().error(
                "a task may not be ended by us", task=record.id, pid=record.process.pid, why=str(error)
            )

    def bury(self, record: Record) -> None:
        self._undertaker.bury(record.instance, max(record.drain, LEAST_GRACE))

    def left(self, record: Record) -> bool:
        return not self._undertaker.buried(record.instance)

    def last_words(self, record: Record) -> str:
        path = log_path(self._run_dir, record.service, record.id)
        with suppress(OSError):
            words = " | ".join(tail(path, _WORDS, since=self._log_from.get(record.instance, 1)))
            return words[-_LENGTH:].strip()
        return ""

    # --- health -------------------------------------------------------------------------------------------------------

    def watch(self, record: Record, service: Service) -> None:
        if self._health.watches(_patient(record)):
            return
        tasks = service.tasks
        healthy = {TaskState.HEALTHY: True, TaskState.UNHEALTHY: False}.get(record.state)
        check = Check(
            host=record.host,
            port=record.port,
            path=tasks.health.path,
            protocol=tasks.protocol,
            interval=tasks.health.interval.total_seconds(),
            timeout=tasks.health.timeout.total_seconds(),
            healthy_after=tasks.health.healthy_after,
            unhealthy_after=tasks.health.unhealthy_after,
        )
        self._health.watch(_patient(record), check, healthy)

    def unwatch(self, record: Record) -> None:
        self._health.unwatch(_patient(record))

    def verdict(self, record: Record) -> Verdict:
        return self._health.verdict(_patient(record))

    # --- time and the end ---------------------------------------------------------------------------------------------

    def seconds(self) -> float:
        return time.monotonic()

    def rest(self, seconds: float) -> None:
        time.sleep(seconds)

    def clear(self) -> None:
        left = self._undertaker.kill_all(within=5.0)
        if left:
            raise Unreachable(f"Processes {left} of tasks do not end.", "Kill them by hand; they may wait for a device.")

    def close(self) -> None:
        """Ends our threads; the tasks go on."""
        self._health.close()
        self._undertaker.close()


def _patient(record: Record) -> tuple[str, str, str]:
    return record.service, record.id, record.instance


def _found_again(record: Record, leaders: dict[str, Identity]) -> Record:
    """With the process that its intent led to, when the controller did not come to note it."""
    if record.process is None and record.state is TaskState.STARTING:
        return replace(record, process=leaders.get(record.instance))
    return record


def _said(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by signal {Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
