"""Turns a task's specification into a running process: command, environment, limits, user, output."""

from __future__ import annotations

import errno
import json
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tidegate.core.errors import Refused, Unreachable
from tidegate.core.service import Limits, Service, fill
from tidegate.drivers.process.identity import Identity, identify
from tidegate.drivers.process.record import Record
from tidegate.drivers.process.sweep import INSTANCE, RUN, TASK

_NEVER = (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ENOEXEC, errno.ELOOP, errno.E2BIG)
_HANDED_ON = ("PATH", "HOME", "LANG", "TZ")
_UNITS = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_LAUNCH = str(Path(__file__).with_name("launch.py"))


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that a spawn needs."""

    command: tuple[str, ...]
    environment: dict[str, str]
    directory: str | None
    launch: tuple[str, ...] = ()  # what is run before the command and becomes it


def order(record: Record, service: Service, run: str) -> Order:
    """Fills in the placeholders. Raises Refused for an unknown user."""
    tasks = service.tasks

    def filled(text: str) -> str:
        return fill(text, port=record.port, version=record.version, service=record.service, task=record.id)

    environment = base_environment(tasks.user) | {name: filled(value) for name, value in tasks.env.items()}
    environment |= {RUN: run, TASK: record.id, INSTANCE: record.instance}
    command = tuple(filled(word) for word in tasks.command or ())
    return Order(command, environment, tasks.directory, launch(service, environment))


def base_environment(user: str | None) -> dict[str, str]:
    """The small environment that every task begins with. Another user gets his own home."""
    base = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    base.setdefault("PATH", os.defpath)
    if user is not None:
        base["HOME"] = account(user).pw_dir
    return base


def account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError as unknown:
        raise Refused(
            f"tasks.user is {user}, and this machine knows no such user.", "Create the user, or set tasks.user to another."
        ) from unknown


def launch(service: Service, environment: Collection[str]) -> tuple[str, ...]:
    """The words before the command that set limits and user; none when there is nothing to set."""
    tasks = service.tasks
    wanted = rlimits(tasks.limits)
    entry = account(tasks.user) if tasks.user is not None else None
    other = (entry.pw_name, entry.pw_uid, entry.pw_gid) if entry is not None and entry.pw_uid != os.geteuid() else None
    if not wanted and other is None:
        return ()
    note = {"limits": wanted, "user": other, "directory": tasks.directory, "environment": sorted(environment)}
    return (sys.executable, "-I", "-S", _LAUNCH, json.dumps(note))


def rlimits(limits: Limits) -> list[tuple[str, int]]:
    named = {
        "RLIMIT_AS": _bytes(limits.memory),
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_NPROC": limits.processes,
        "RLIMIT_CORE": _bytes(limits.core),
    }
    return [(name, value) for name, value in named.items() if value is not None]


def _bytes(size: str | None) -> int | None:
    match = re.fullmatch(r"(\d+)(KB|MB|GB)", size or "")
    return int(match[1]) * _UNITS[match[2]] if match else None


def spawn(wanted: Order, log: int) -> Identity:
    """Starts it in a session of its own, its output going to this file. Raises Refused or Unreachable with the reason.

    The caller reaps the process by its id.
    """
    try:
        child = subprocess.Popen(
            [*wanted.launch, *wanted.command],
            cwd=None if wanted.launch else wanted.directory,
            env=wanted.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    except OSError as error:
        if error.errno not in _NEVER:
            raise Unreachable(f"{wanted.command[0]} could not be started now: {error.strerror}.") from error
        where = f" in {wanted.directory}" if wanted.directory else ""
        raise Refused(
            f"{wanted.command[0]} cannot be run{where}: {error.strerror}.", "Correct tasks.command or tasks.directory."
        ) from error
    # Popen would warn of a child that it has not waited for; we wait by the id, and others adopt it when we are gone.
    child.returncode = 0
    born = identify(child.pid)
    if born is None:
        raise Unreachable(f"{wanted.command[0]} was started as process {child.pid} and is not to be seen.")
    return born
