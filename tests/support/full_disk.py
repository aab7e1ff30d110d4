"""A small filesystem, and filling it to its last byte."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest


def fill(place: Path) -> Path:
    """The file that takes all the room; remove it, and there is some again."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A filesystem of 1 MB; only root can have one."""
    place = Path(tempfile.mkdtemp(prefix="tg-disk-"))
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False)
    if not mounted or mounted.returncode:
        place.rmdir()
        pytest.skip("no small filesystem can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True, capture_output=True)
    place.rmdir()
