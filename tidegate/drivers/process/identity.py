"""Which process is meant, for sure: a process id alone may belong to somebody else by tomorrow.

The kernel's start time (ticks since boot) and the boot's own id never change while a process lives, whatever anybody does
to the clock. Used by tasks and supervisor alike, so only the standard library is imported here.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that was seen once. `born` is its start in clock ticks since the boot named `boot`."""

    pid: int
    born: int
    boot: str

    def to_json(self) -> dict[str, int | str]:
        return {"pid": self.pid, "born": self.born, "boot": self.boot}

    @staticmethod
    def from_json(written: object) -> Identity | None:
        """None for anything that is not an identity: a torn or a foreign file names nobody."""
        match written:
            case {"pid": int(pid), "born": int(born), "boot": str(boot)} if pid > 0:
                return Identity(pid, born, boot)
        return None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the kernel says of a process id now. A zombie is `ended`: it only waits to be reaped."""

    pid: int
    parent: int
    group: int
    session: int
    born: int
    ended: bool


@cache
def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def standing(pid: int) -> Standing | None:
    """None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - twice as fast, and asked for every task
            text = file.read()
    except OSError:
        return None
    # The name in parentheses may hold spaces and parentheses itself; everything after the last one is numbers.
    fields = text[text.rfind(b")") + 2 :].split()
    if len(fields) < 20:
        return None
    # A leader that left its threads behind looks like a zombie but lives: it still has other threads.
    zombie = fields[0] in (b"Z", b"X", b"x") and int(fields[17]) <= 1
    return Standing(pid, int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]), zombie)


def identify(pid: int) -> Identity | None:
    """Names the process that has this id now, zombies included; None when there is none."""
    seen = standing(pid)
    return Identity(pid, seen.born, boot_id()) if seen else None


def alive(identity: Identity) -> bool:
    """Whether just this process still runs. Somebody else under its id does not count, nor does a zombie."""
    seen = standing(identity.pid)
    return seen is not None and not seen.ended and seen.born == identity.born and identity.boot == boot_id()


def send(identity: Identity, number: signal.Signals) -> bool:
    """Sends a signal to this process and, when it leads a process group, to all of it. False when it is gone.

    An unreaped zombie still holds its id, so the group it leads is still its own.
    """
    seen = standing(identity.pid)
    if seen is None or seen.born != identity.born or identity.boot != boot_id():
        return False
    with contextlib.suppress(ProcessLookupError):
        if seen.group == seen.pid:
            os.killpg(seen.pid, number)
        else:
            os.kill(seen.pid, number)
        return True
    return False
