"""A person at a real terminal: what he sees and types."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Terminal:
    """What a person sees and types."""

    def __init__(self, keyboard: int, process: subprocess.Popen[bytes]) -> None:
        self._keyboard = keyboard
        self.process = process
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._keyboard, text.encode())

    def until(self, text: str, within: float = 30) -> str:
        end = time.monotonic() + within
        while text not in self.seen:
            assert time.monotonic() < end, f"{text!r} is not in:\n{self.seen}"
            ready, _, _ = select.select([self._keyboard], [], [], 0.1)
            try:
                self.seen += os.read(self._keyboard, 65536).decode() if ready else ""
            except OSError:
                assert text in self.seen, f"it ended, and {text!r} is not in:\n{self.seen}"
        return self.seen


TAKE_TERMINAL = "import os, sys; os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.argv[1], sys.argv[1:])"
"""Whoever leads a session and opens a terminal gets its Ctrl-C."""


@contextmanager
def terminal(*words: str, columns: int = 60) -> Iterator[Terminal]:
    keyboard, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    words = (sys.executable, "-m", "tidegate", *words)
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_TERMINAL, *words],
        stdin=screen,
        stdout=screen,
        stderr=screen,
        start_new_session=True,
        env={**env, "TERM": "xterm"},
    )
    os.close(screen)
    try:
        yield Terminal(keyboard, process)
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)
