"""Where the demo plays: a home of its own, commands as a person types them, and users. Whatever happens, nothing is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidegate.demo.ledger import Ledger, Reading

PATIENCE = 60.0
"""Seconds to wait for what a slow machine does later."""


class Amiss(Exception):
    """Something did not go as the demo says."""


@dataclass(frozen=True, slots=True)
class Stage:
    home: Path
    api_port: int
    console: Console
    users: list[Users] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return dict(
            os.environ,
            TIDEGATE_HOME=str(self.home),
            TIDEGATE_PORT=str(self.api_port),
            TIDEGATE_TICK="500ms",
            TIDEGATE_DATABASE="",
        )

    # --- What is said -------------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        self.console.print()
        self.console.print(Text(text, style="bold"))

    def measured(self, text: str) -> None:
        """A figure that the demo's own users counted."""
        self.console.print(Text(f"=> {text}", style="green"))

    def show(self, table: Table) -> None:
        self.console.print()
        self.console.print(table)

    # --- What is done -------------------------------------------------------------------------------------------------

    def tidegate(self, *words: str, expected: int = 0) -> None:
        """Runs a command as a person would type it, and shows it. Raises Amiss when it ends otherwise than expected."""
        self.console.print(Text(f"$ tidegate {' '.join(_quoted(word) for word in words)}", style="cyan"))
        code = _wait(_begin(self._command(*words), env=self.env, cwd=self.home))
        if code != expected:
            raise Amiss(f"The demo expected this command to end with {expected}, but it ended with {code}.")

    def shielded(self, *words: str) -> int:
        """The same for what must not be interrupted half-way: Ctrl-C is heard when it has ended."""
        with suppress(OSError):  # the terminal may be gone
            self.console.print(Text(f"$ tidegate {' '.join(words)}", style="cyan"))
        process = subprocess.Popen(self._command(*words), env=self.env, cwd=self.home, start_new_session=True)
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise

    def ask(self, *words: str) -> Any:
        """Its answer with --json, silently."""
        command = self._command(*words, "--json")
        done = subprocess.run(command, env=self.env, cwd=self.home, check=False, capture_output=True, text=True)
        if done.returncode:
            raise Amiss(f"{' '.join(words)} was refused: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tidegate", *words]

    def write(self, name: str, content: Any) -> None:
        (self.home / name).write_text(yaml.safe_dump(content, sort_keys=False))

    def let_in(self, name: str, *, port: int, people: int, rate: int) -> Users:
        """Users begin to come."""
        users = Users.begin(self.home / f"{name}.tsv", port, people, rate)
        self.users.append(users)
        return users


@dataclass(frozen=True, slots=True)
class Users:
    """The crowd of one act, a process of its own."""

    process: subprocess.Popen[bytes]
    reading: Reading
    people: int

    @classmethod
    def begin(cls, path: Path, port: int, people: int, rate: int) -> Users:
        where = ["--url", f"http://127.0.0.1:{port}/", "--ledger", str(path)]
        words = [*where, "--people", str(people), "--rate", str(rate), "--for", "10m"]
        return cls(_begin([sys.executable, "-m", "tidegate.demo.load", *words]), Reading(path), people)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.reading.look())

    def round(self) -> Ledger:
        """Waits until everybody was there once more, and returns what they got in it."""
        since, came = time.monotonic(), len(self.reading.look())

        def everybody() -> bool:
            return len({entry.user for entry in self.reading.look()[came:] if entry.at >= since}) == self.people

        until(everybody, "every user came")
        return self.ledger.between(since, time.monotonic())

    def end(self) -> None:
        """Twice is once."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=15)
                return
            self.process.kill()
            self.process.wait()


def _begin(command: list[str], **how: Any) -> subprocess.Popen[bytes]:
    """An interrupt waits until the process can hear it: Python that has just begun would answer with a traceback."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return subprocess.Popen(command, **how)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C has reached it too: it may put the terminal in order before it goes."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        for number in (None, signal.SIGINT, signal.SIGKILL):
            if number is not None:
                process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2.0)
                break
        raise


def until(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        if time.monotonic() > deadline:
            raise Amiss(f"Not within {PATIENCE:.0f} s: {what}.")
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word
