"""Walks through the whole product: `tidegate up`, a real Envoy, real tasks, real users."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.walk import Tidegate


@pytest.fixture(scope="module")
def tidegate() -> Iterator[Tidegate]:
    """One for a file; each walk has services of its own."""
    with Tidegate() as tidegate:
        yield tidegate


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Says a figure to whoever runs the walk: pytest -s, or the report of a nightly run."""

    def tell(sentence: str) -> None:
        with capsys.disabled():
            print(f"\n  {sentence}", end="")  # noqa: T201 - that is what it is for

    return tell


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A filesystem of 32 MB; only root can have one."""
    place = Path(tempfile.mkdtemp(prefix="tg-disk-", dir="/tmp"))
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", place], check=False)
    if not mounted or mounted.returncode:
        place.rmdir()
        pytest.skip("no small filesystem can be mounted here")
    try:
        yield place
    finally:
        deadline = time.monotonic() + 10
        while subprocess.run(["umount", place], check=False, capture_output=True).returncode and time.monotonic() < deadline:
            time.sleep(0.1)
        shutil.rmtree(place, ignore_errors=True)
