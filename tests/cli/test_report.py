"""The report and the test of notifications, typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.served import WEB, House


@pytest.fixture
def ended(served: House) -> House:
    return served.run("v1")


def test_a_report_is_written_where_it_is_wanted(ended: House, run: Run, tmp_path: Path) -> None:
    done = run("report", "web-1", "-o", str(tmp_path / "file.html"))
    assert (done.code, done.out) == (0, f"{tmp_path / 'file.html'} is written; open it in a browser.\n")
    text = (tmp_path / "file.html").read_text()
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert run("report", "web-1").code == 0
    assert (tmp_path / "web-1.html").read_text() == run("report", "web-1", "-o", "-").out


def test_a_report_that_cannot_be_had_or_written_says_why(ended: House, run: Run, tmp_path: Path) -> None:
    assert "There is no rollout 'web-9'" in run("report", "web-9").err
    assert not (tmp_path / "web-9.html").exists()
    done = run("report", "web-1", "-o", "/nowhere/file.html")
    assert (done.code, "cannot be written: No such file or directory" in done.err) == (2, True)


def test_a_test_of_notifications_says_what_became_of_each(served: House, run: Run) -> None:
    served.run("v1", text=f"{WEB}on:\n  - {{command: ['true']}}\n  - {{apprise: 'env:NOT_SET_ANYWHERE'}}\n")
    done = run("notify", "test", "web")
    assert done.code == 2
    assert done.out.splitlines() == [
        "command true: arrived",
        "apprise env:NOT_SET_ANYWHERE: The environment of the controller has no NOT_SET_ANYWHERE. "
        "Set NOT_SET_ANYWHERE where tidegate up runs.",
    ]
    assert [bool(one["problem"]) for one in run("notify", "test", "web", "--json").json] == [False, True]
