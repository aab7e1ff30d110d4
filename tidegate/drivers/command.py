"""One command of somebody else's, run to its end: for hooks and for telling. In its own session, with a small environment, a
time limit, and nothing that it prints or leaves unread can hold us up.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tidegate.core.duration import say_duration

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR")
GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""
KEPT = 4000
"""Bytes of its output, the last ones."""
LONGEST_LINE = 300
_LOOK = 0.1
_SOON = 0.02


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: with 0, or why not, and the last line that it printed."""

    passed: bool
    why: str
    last: str = ""

    @property
    def said(self) -> str:
        return f"{self.why}: {self.last}" if self.last else self.why


def run_command(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout: timedelta,
    given: bytes = b"",
    directory: Path | None = None,
    stop: threading.Event | None = None,
) -> Ended:
    """Runs it and waits. `given` is its standard input; its group is ended at the timeout, or when `stop` is set."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with tempfile.TemporaryFile() as standard_input:  # a file, for nobody may read a pipe to its end
        standard_input.write(given)
        standard_input.seek(0)
        try:
            process = subprocess.Popen(
                list(command),
                stdin=standard_input,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=inherited | {name: value.replace("\0", "") for name, value in environment.items()},
                start_new_session=True,
                bufsize=0,
            )
        except (OSError, ValueError) as wrong:
            reason = wrong.strerror if isinstance(wrong, OSError) else str(wrong)
            return Ended(False, f"{command[0]} cannot be run: {reason}")
        with process:
            return _watch(process, timeout, stop or threading.Event())


def _watch(process: subprocess.Popen[bytes], timeout: timedelta, stop: threading.Event) -> Ended:
    """Reads what it prints until it has ended. Nobody waits for what it leaves behind, which may hold the output open."""
    output = _Tail(process)
    until = time.monotonic() + timeout.total_seconds()
    why = ""
    while not _has_ended(process):
        output.read(_LOOK)
        if stop.is_set():
            why = "stopped"
        elif time.monotonic() >= until:
            why = f"it did not end within {say_duration(timeout)} and was killed"
        if why and not _has_ended(process):
            _end(process, output)
            break
        why = ""
    output.read(0)
    output.close()
    code = process.wait()
    return Ended(not why and code == 0, why or _how(code), output.last)


def _how(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _end(process: subprocess.Popen[bytes], output: _Tail) -> None:
    """SIGTERM for its whole group, a moment to obey, then SIGKILL. It is not reaped before, so the group is still its own."""
    _signal(process, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while time.monotonic() < until and not _has_ended(process):
        output.read(_LOOK / 2)
    _signal(process, signal.SIGKILL)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Looks without reaping: a group whose leader is a zombie cannot be anybody else's."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class _Tail:
    """The last bytes of what a process prints."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # it was asked for
        self._pipe = process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)
        self._kept = b""
        self._ended = False

    def read(self, patience: float) -> None:
        """Reads what is there, waiting a moment for it."""
        if self._ended:
            time.sleep(min(patience, _SOON))
        elif self._selector.select(patience):
            piece = self._pipe.read(65536)
            self._ended = piece == b""
            self._kept = (self._kept + (piece or b""))[-KEPT:]

    @property
    def last(self) -> str:
        lines = [line.strip() for line in self._kept.decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:LONGEST_LINE] if lines else ""

    def close(self) -> None:
        self._selector.close()
        self._pipe.close()
