"""Tasks as local processes: the port Runtime on this machine.

    runtime = ProcessRuntime(run_dir)    adopts what runs from before
    runtime.reconcile(wanted, now)       again and again
    runtime.close()                      the tasks go on;  or  runtime.shutdown() ends them all

One at a time for a run directory: hold the controller's lock (lock.py) before making one.
"""

from __future__ import annotations

from pathlib import Path

from tidegate.core.service import Service
from tidegate.drivers.process.check import check
from tidegate.drivers.process.keeper import Keeper
from tidegate.drivers.process.machine import Machine
from tidegate.drivers.process.rotation import FILES, SIZE


class ProcessRuntime(Keeper):
    def __init__(self, run_dir: Path, *, log_size: int = SIZE, log_files: int = FILES) -> None:
        """Each task's log is kept to `log_files` files of about `log_size` bytes."""
        self._machine = Machine(run_dir, log_size, log_files)
        super().__init__(self._machine)

    def check(self, service: Service, version: str) -> None:
        check(service, version)

    def close(self) -> None:
        """Ends the threads that watch. The tasks go on, for whoever comes next."""
        self._machine.close()
