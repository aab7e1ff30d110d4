"""Says before any start why tasks could never start. Each sentence names the key of the service file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tidegate.core.errors import Refused, Unreachable
from tidegate.core.service import Service, fill
from tidegate.drivers.process.spawn import account, base_environment, launch


def check(service: Service, version: str) -> None:
    """Raises Refused when the tasks of this version can never run here."""
    if service.tasks.command is None:
        return
    _check_directory(service.tasks.directory)
    _check_user(service.tasks.user)
    _check_command(service, version)
    _check_limits(service)


def _check_directory(directory: str | None) -> None:
    if directory is not None and not Path(directory).is_dir():
        what = "is no directory" if Path(directory).exists() else "does not exist"
        raise Refused(f"The working directory {directory} {what}.", "Create it, or set tasks.directory to another.")


def _check_user(user: str | None) -> None:
    if user is None:
        return
    uid = account(user).pw_uid
    if os.geteuid() not in (0, uid):
        raise Refused(
            f"Tasks are to run as {user}, and only root may start processes of another user.",
            "Run Tidegate as root, or leave out tasks.user.",
        )


def _check_command(service: Service, version: str) -> None:
    tasks = service.tasks
    name = f"{service.service}-{version}-1"

    def filled(text: str) -> str:
        return fill(text, port=1, version=version, service=service.service, task=name)

    program = filled((tasks.command or ("",))[0])
    path = filled(tasks.env["PATH"]) if "PATH" in tasks.env else base_environment(tasks.user)["PATH"]
    if "/" not in program:
        if shutil.which(program, path=_seen_from(tasks.directory, path)) is None:
            raise Refused(
                f"The command {program!r} was not found on the PATH ({path}).",
                "Install it, write its whole path in tasks.command, or set PATH in tasks.env.",
            )
        return
    _check_file(Path(tasks.directory or ".") / program)


def _seen_from(directory: str | None, path: str) -> str:
    """The same search path with its relative places taken from the working directory."""
    return os.pathsep.join(str(Path(directory or ".") / place) for place in path.split(os.pathsep))


def _check_file(path: Path) -> None:
    if not path.exists():
        raise Refused(f"The command {path} does not exist.", "Correct tasks.command, or tasks.directory which it starts from.")
    if not path.is_file() or not os.access(path, os.X_OK):
        what = "is not executable" if path.is_file() else "is no file"
        raise Refused(f"The command {path} {what}.", f"Make it so (chmod +x {path}), or correct tasks.command.")
    interpreter = _interpreter(path)
    if interpreter and not Path(interpreter).exists():
        raise Refused(f"{path} begins with #!{interpreter}, which does not exist.", f"Correct the first line of {path}.")


def _interpreter(path: Path) -> str:
    try:
        with path.open("rb") as file:
            first = file.readline(256).decode(errors="replace")
    except OSError:
        return ""
    words = first.removeprefix("#!").split() if first.startswith("#!") else []
    return words[0] if words else ""


def _check_limits(service: Service) -> None:
    """By trying them: what may be set depends on the user, the machine and the container."""
    words = launch(service, ())
    if not words:
        return
    try:
        tried = subprocess.run(words, capture_output=True, text=True, check=False, timeout=10, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"The limits of the tasks could not be tried: {error}.") from error
    if tried.returncode != 0:
        said = tried.stderr.strip().splitlines()[-1:] or [f"exit code {tried.returncode}"]
        raise Refused(
            f"The limits, user and directory of the tasks cannot be had: {said[0]}.",
            "Correct tasks.limits, tasks.user or tasks.directory, or raise the machine's limit (ulimit -H).",
        )
