"""The demo as a person meets it: it plays to its end, and whoever is bored leaves nothing running."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.walk import Tidegate, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the demo makes its home; a unix socket wants a short path."""
    place = Path(tempfile.mkdtemp(prefix="tg-", dir="/tmp"))
    yield place
    for pid in left(place):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(place, ignore_errors=True)


def left(place: Path) -> list[int]:
    return Tidegate(home=place).processes()


def play(place: Path, *words: str) -> subprocess.Popen[str]:
    env = {**os.environ, "TMPDIR": str(place), "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "tidegate", "demo", *words]
    with (place / "said").open("w") as said:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, env=env, text=True, start_new_session=True
        )


def said(place: Path) -> str:
    return (place / "said").read_text()


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("$ tidegate up", signal.SIGINT),
        pytest.param("$ tidegate flags deploy", signal.SIGINT, marks=pytest.mark.nightly),
        ("users sent", signal.SIGTERM),
    ],
)
def test_whoever_interrupts_it_leaves_nothing_running(place: Path, moment: str, number: signal.Signals) -> None:
    playing = play(place, "--act", "2")
    until(lambda: moment in said(place), 90, moment, lambda: said(place))
    # Ctrl-C reaches every process at the terminal, a signal only the one that it is sent to.
    if number is signal.SIGINT:
        os.killpg(playing.pid, number)
    else:
        os.kill(playing.pid, number)
    until(lambda: "Interrupted." in said(place), 60, "it heard", lambda: said(place))
    os.killpg(playing.pid, signal.SIGINT)  # impatient
    assert playing.wait(90) == 130, said(place)
    assert "Traceback" not in said(place)
    until(lambda: not left(place), 10, "nothing is left", lambda: left(place))
    assert not list(place.glob("tidegate-demo-*"))


@pytest.mark.nightly
@pytest.mark.parametrize("act", ["1", "2"])
def test_each_act_ends_well_and_what_it_shows_was_counted_twice(place: Path, act: str) -> None:
    playing = play(place, "--act", act)
    assert playing.wait(240) == 0, said(place)
    assert not left(place)
    if act == "2":
        assert "0 of them saw the new checkout; 0 requests failed" in said(place)
        assert "20 of 20 members saw the new checkout, and 0 of the 280 others" in said(place)
        assert "0 users had it and lost it again" in said(place)
        assert "was rolled back" in said(place)
