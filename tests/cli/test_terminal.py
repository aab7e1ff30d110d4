"""At a real terminal: pictures are painted, Ctrl-C is heard, questions are asked."""

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
from pathlib import Path

from tests.cli.conftest import Run, command, going
from tests.support.served import WEB, House


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
    words = (*command(), *words)
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


def test_a_picture_is_painted_and_ctrl_c_leaves_the_rollout_running(served: House) -> None:
    served.begun("v2")
    with terminal("watch", "web") as at:
        at.until("wanted 25%   applied 25%")
        at.type("\x03")
        at.until("Come back: tidegate watch web.")
        assert at.process.wait(20) == 130
    assert "\x1b[?25l" in at.seen, "the cursor was hidden"
    assert "\x1b[?25h" in at.seen.rpartition("\x1b[?25l")[2], "and is back"
    assert "Traceback" not in at.seen
    assert served.rollout().in_flight


def test_a_rollout_is_followed_to_its_end(served: House) -> None:
    served.begun("v2")
    with going(served), terminal("watch", "web", columns=100) as at:
        at.until("web v2 serves everybody.")
        assert at.process.wait(20) == 0


def test_plain_paints_nothing(served: House) -> None:
    served.begun("v2")
    with going(served), terminal("watch", "web", "--plain") as at:
        at.until("web v2 serves everybody.")
    assert "\x1b[?25l" not in at.seen


UNPROTECTED = WEB[: WEB.index("plan:")] + "plan: all_at_once\n"


def test_a_deploy_that_nothing_protects_is_asked_for(served: House, tmp_path: Path) -> None:
    served.run("v1")
    (tmp_path / "web.yaml").write_text(UNPROTECTED)
    with terminal("deploy", "-f", "web.yaml", "--version", "v2") as at:
        at.until("Begin all the same? [y/N]")
        at.type("n\r")
        at.until("Nothing was changed.")
        assert at.process.wait(20) == 2
    assert served.rollout().candidate == "v1"
    with terminal("deploy", "-f", "web.yaml", "--version", "v2", "--yes", "--detach") as at:
        at.until("Follow it")
    assert served.rollout().candidate == "v2"


def test_a_release_that_nothing_protects_is_asked_for_and_refused_when_the_flags_change_meanwhile(
    served: House, run: Run, tmp_path: Path
) -> None:
    flags = "application: shop\nflags: {checkout: %s}\n"
    for name, text in {
        "old": flags % "off",
        "flags": flags % "on",
        "new": flags % "3",
        "web": UNPROTECTED,
        "release": "release: checkout\nplan: all_at_once\nservices: [{file: web.yaml, version: v2}]\n"
        "flags: [{file: flags.yaml, environment: prod}]\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    served.run("v1")
    assert run("flags", "deploy", "-f", "old.yaml", "-e", "shop/prod", "--detach").code == 0
    served.tick(20)
    with terminal("release", "-f", "release.yaml", columns=100) as at:
        at.until("document 1")
        at.until("Everybody gets v2 of web at once, and no guard looks.")
        at.until("Begin all the same? [y/N]")
        assert run("flags", "deploy", "-f", "new.yaml", "-e", "shop/prod", "--now", "--detach").code == 0
        served.tick(20)
        at.type("y\r")
        at.until("has flag document 2 by now; this was made from 1")
        assert at.process.wait(20) == 2
    assert served.store.releases() == []


def test_a_removal_is_asked_for(served: House) -> None:
    served.run("v1")
    with terminal("remove", "web") as at:
        at.until("Remove it? [y/N]")
        at.type("y\r")
        at.until("web is removed")
    assert served.store.services() == []
