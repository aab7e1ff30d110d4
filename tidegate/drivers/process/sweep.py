"""Finds the processes that carry our mark, whoever wrote them down or did not.

Every task gets TIDEGATE_RUN (which run directory it belongs to) and TIDEGATE_INSTANCE (which start of which task) in its
environment, and so do its children. A controller killed between a spawn and its note, or a child that left the process
group, is found again by this mark.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.drivers.process.identity import Identity, boot_id, standing

RUN, TASK, INSTANCE, KEPT = "TIDEGATE_RUN", "TIDEGATE_TASK", "TIDEGATE_INSTANCE", "TIDEGATE_KEPT"
MARKS = (RUN, TASK, INSTANCE, KEPT)


@dataclass(frozen=True, slots=True)
class Marked:
    """A live process with our mark. `leads` says that it is the one we started, and not a child of it."""

    identity: Identity
    leads: bool
    marks: dict[str, str]


def run_id(run_dir: Path) -> str:
    """The name of this run directory in the marks, made up once. Two directories never share one."""
    path = run_dir / "run-id"
    with suppress(FileNotFoundError):
        if known := path.read_text(encoding="ascii").strip():
            return known
        path.unlink()  # emptied by a power failure: whoever had this name ended with it
    run_dir.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.urandom(4).hex()}")
    aside.write_text(os.urandom(8).hex(), encoding="ascii")
    try:
        # A link is refused when somebody was faster: then his name holds.
        with suppress(FileExistsError):
            path.hardlink_to(aside)
    finally:
        aside.unlink()
    return path.read_text(encoding="ascii").strip()


def marked(run: str) -> Iterator[Marked]:
    """All live processes of this run. Processes of others whose environment may not be read are not ours."""
    needle = f"{RUN}={run}".encode()
    for entry in os.listdir("/proc"):  # noqa: PTH208 - only names are needed
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:  # noqa: PTH123 - read for every process there is
                environment = file.read()
        except OSError:
            continue
        if needle not in environment:
            continue
        found = _marked(int(entry), environment, run)
        if found is not None:
            yield found


def _marked(pid: int, environment: bytes, run: str) -> Marked | None:
    pairs = (part.decode(errors="replace").partition("=") for part in environment.split(b"\0"))
    marks = {name: value for name, _, value in pairs if name in MARKS}
    seen = standing(pid)
    if marks.get(RUN) != run or seen is None or seen.ended:
        return None
    return Marked(Identity(pid, seen.born, boot_id()), seen.session == pid, marks)


def unmarked(environment: dict[str, str]) -> dict[str, str]:
    """The same environment without marks: who is started from within a task is no part of that task."""
    return {name: value for name, value in environment.items() if name not in MARKS}
