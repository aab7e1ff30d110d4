"""A real PostgreSQL of our own on a free port of loopback, for the length of a test session."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def programs() -> Path | None:
    """The directory of initdb and pg_ctl: on PATH, or where Debian puts them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """Starts a server in `directory`; gives its URL. Without a server: a skip, and on CI a failure."""
    bin_ = programs()
    if bin_ is None:
        missing("PostgreSQL is not installed (make setup-test)")
        return
    data, port = directory / "data", _free_port()
    as_owner: list[str | Path] = [*_owner(directory)]
    _run([*as_owner, bin_ / "initdb", "-D", data, "-U", "tidegate", "-A", "trust", "--no-sync"], directory)
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    control = [*as_owner, bin_ / "pg_ctl", "-D", data, "-w", "-l", directory / "log"]
    _run([*control, "-o", options, "start"], directory)
    try:
        yield f"postgresql+psycopg://tidegate@127.0.0.1:{port}/postgres"
    finally:
        # It may be gone already; what matters then is that nothing of it is left, and that is so.
        _run([*control, "-m", "immediate", "stop"], directory, check=False)


def _run(command: list[str | Path], directory: Path, *, check: bool = True) -> None:
    subprocess.run(command, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory)


def missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _owner(directory: Path) -> list[str]:
    """PostgreSQL refuses to run as root: then it runs as its own user, to whom the directory is given."""
    if os.geteuid() != 0:
        return []
    shutil.chown(directory, "postgres")
    for parent in directory.parents:
        if parent == Path("/"):
            break
        parent.chmod(parent.stat().st_mode | 0o011)  # so that this user can reach it
    return [shutil.which("runuser") or "/usr/sbin/runuser", "-u", "postgres", "--"]  # which is not on everybody's PATH


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
